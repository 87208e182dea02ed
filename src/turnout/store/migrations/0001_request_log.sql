-- The request log: one row a request.
--
-- A row is stored as one JSON array in the order of turnout.core.record.LogRow; `request_log` is a view that names its elements. Writing a
-- row so costs a third of binding forty columns (virtual columns would be computed on every insert), and every column can
-- still be selected and filtered. The id grows with time, so the table is filled at its right end and is in time order by itself.
CREATE TABLE request_rows (id INTEGER PRIMARY KEY, "row" TEXT NOT NULL);

CREATE VIEW request_log AS SELECT
    id,
    'req_' || printf('%016x', id) AS request_id,
    json_extract("row", '$[1]') AS "time_ms",
    json_extract("row", '$[2]') AS "worker",
    json_extract("row", '$[3]') AS "key",
    json_extract("row", '$[4]') AS "user",
    json_extract("row", '$[5]') AS "team",
    json_extract("row", '$[6]') AS "cost_center",
    json_extract("row", '$[7]') AS "dialect",
    json_extract("row", '$[8]') AS "op",
    json_extract("row", '$[9]') AS "stream",
    json_extract("row", '$[10]') AS "priority",
    json_extract("row", '$[11]') AS "requested_model",
    json_extract("row", '$[12]') AS "served_model",
    json_extract("row", '$[13]') AS "provider",
    json_extract("row", '$[14]') AS "tier",
    json_extract("row", '$[15]') AS "task",
    json_extract("row", '$[16]') AS "input_tokens",
    json_extract("row", '$[17]') AS "cache_read_tokens",
    json_extract("row", '$[18]') AS "cache_write_5m_tokens",
    json_extract("row", '$[19]') AS "cache_write_1h_tokens",
    json_extract("row", '$[20]') AS "output_tokens",
    json_extract("row", '$[21]') AS "reasoning_tokens",
    json_extract("row", '$[22]') AS "input_audio_tokens",
    json_extract("row", '$[23]') AS "output_audio_tokens",
    json_extract("row", '$[24]') AS "usage_estimated",
    json_extract("row", '$[25]') AS "first_token_ms",
    json_extract("row", '$[26]') AS "total_ms",
    json_extract("row", '$[27]') AS "overhead_ms",
    json_extract("row", '$[28]') AS "cost_nano",
    json_extract("row", '$[29]') AS "price_source",
    json_extract("row", '$[30]') AS "attempts",
    json_extract("row", '$[31]') AS "finish_reason",
    json_extract("row", '$[32]') AS "cache_status",
    json_extract("row", '$[33]') AS "status",
    json_extract("row", '$[34]') AS "error",
    json_extract("row", '$[35]') AS "error_message",
    json_extract("row", '$[36]') AS "notices",
    json_extract("row", '$[37]') AS "tags",
    "row"
FROM request_rows;
