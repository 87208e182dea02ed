/* A simulated provider that is never the bottleneck: prebuilt replies in the OpenAI chat and Anthropic dialects.
 * Unary requests get a fixed reply with usage. Streams get one write a chunk (TCP_NODELAY, HTTP chunked):
 * slotted streams when streams.c or the clock says so, others at once. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VARIANTS = 8, PIECE_BYTES_MAX = 2048 };
enum { LOCKSTEP_PATIENCE_US = 100000 }; /* a gateway that holds a chunk back gets the next one after this long */

struct piece {
    char data[PIECE_BYTES_MAX];
    size_t len;
};

long unary_answered, streams_answered;
static struct piece unary[2], head[2], content[2][VARIANTS], tail[2], tail_usage, models, health, not_found;

static const char *const words[VARIANTS] = {" The", " quick", " brown", " fox", " jumps over", " a", " lazy", " dog."};

static const char *const unary_json[2] = {
    "{\"id\":\"chatcmpl-BQ7xkT2n5vYc0a9eWlZrJmHd4uFsP\",\"object\":\"chat.completion\",\"created\":1790000000,"
    "\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"A turnout lets a train pass from one track to another. Two movable rails, the points, are set by a lever or"
    " a motor; the frog lets the wheels cross the opposite rail, and check rails hold them in line.\","
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
    "{\"prompt_tokens\":212,\"completion_tokens\":46,\"total_tokens\":258,\"prompt_tokens_details\":"
    "{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
    "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},\"service_tier\":\"default\","
    "\"system_fingerprint\":\"fp_8d2f1c40ab\"}",
    "{\"id\":\"msg_01Jb7cVx2WqS9tLkRrYp5nHd\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
    "\"claude-sonnet-4-5-20250929\",\"content\":[{\"type\":\"text\",\"text\":"
    "\"A turnout lets a train pass from one track to another. Two movable rails, the points, are set by a lever or"
    " a motor; the frog lets the wheels cross the opposite rail, and check rails hold them in line.\"}],"
    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":212,"
    "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":46,"
    "\"service_tier\":\"standard\"}}"};

#define OPENAI_CHUNK \
    "data: {\"id\":\"chatcmpl-BQ7xkT2n5vYc0a9eWlZrJmHd4uFsP\",\"object\":\"chat.completion.chunk\"," \
    "\"created\":1790000000,\"model\":\"gpt-4o-2024-08-06\",\"system_fingerprint\":\"fp_8d2f1c40ab\","
#define FINISH_CHUNK OPENAI_CHUNK "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"

static const char *const head_events[2] = {
    OPENAI_CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},"
                 "\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01Jb7cVx2WqS9tLkRrYp5nHd\","
    "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],"
    "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":212,\"cache_creation_input_tokens\":0,"
    "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: ping\ndata: {\"type\": \"ping\"}\n\n"};

static const char *const content_format[2] = {
    OPENAI_CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s%c\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"%s%c\"}}\n\n"};

static const char *const tail_events[2] = {
    FINISH_CHUNK "data: [DONE]\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
    "\"stop_sequence\":null},\"usage\":{\"input_tokens\":212,\"output_tokens\":201}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};

static const char tail_usage_events[] =
    FINISH_CHUNK OPENAI_CHUNK
    "\"choices\":[],\"usage\":{\"prompt_tokens\":212,\"completion_tokens\":201,\"total_tokens\":413,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n"
    "data: [DONE]\n\n";

static void reply(struct piece *out, const char *status, const char *json) {
    out->len = (size_t)snprintf(out->data, sizeof out->data,
        "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", status, strlen(json), json);
}

static void http_chunk(struct piece *out, const char *prefix, const char *events, const char *suffix) {
    out->len = (size_t)snprintf(out->data, sizeof out->data, "%s%zx\r\n%s\r\n%s", prefix, strlen(events), events, suffix);
}

void upstream_build(void) {
    char events[PIECE_BYTES_MAX / 2];
    for (int d = 0; d < 2; d++) {
        reply(&unary[d], "200 OK", unary_json[d]);
        http_chunk(&head[d], "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n", head_events[d], "");
        http_chunk(&tail[d], "", tail_events[d], "0\r\n\r\n");
        for (int v = 0; v < VARIANTS; v++) {
            snprintf(events, sizeof events, content_format[d], words[v], MARK);
            http_chunk(&content[d][v], "", events, "");
        }
    }
    http_chunk(&tail_usage, "", tail_usage_events, "0\r\n\r\n");
    reply(&models, "200 OK", "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o\",\"object\":\"model\",\"created\":1715367049,"
        "\"owned_by\":\"system\"},{\"id\":\"claude-sonnet-4-5\",\"object\":\"model\",\"created\":1715367049,\"owned_by\":\"system\"}]}");
    reply(&health, "200 OK", "{\"status\":\"ok\"}");
    reply(&not_found, "404 Not Found", "{\"error\":{\"message\":\"no such path\",\"type\":\"invalid_request_error\"}}");
}

static int send_piece(struct conn *conn, const struct piece *piece) {
    if (write_all(conn->fd, piece->data, piece->len) == 0) return 0;
    conn_close(conn);
    return -1;
}

/* The next piece of a slotted stream: a chunk, or after the last chunk the end of the stream. */
void upstream_send_next(struct source *source) {
    if (!source->conn) return;
    struct conn *conn = source->conn;
    if (source->sent < chunks_per_stream) {
        int variant = source->sent++ % VARIANTS;
        source->due_us = pace_us ? source->due_us + pace_us : now_us() + LOCKSTEP_PATIENCE_US;
        send_piece(conn, &content[source->dialect][variant]);
        return;
    }
    const struct piece *end = source->with_usage ? &tail_usage : &tail[source->dialect];
    source->conn = NULL;
    conn->slot = SLOT_NONE;
    send_piece(conn, end);
}

static void stream_at_once(struct conn *conn, enum dialect dialect, int with_usage) {
    if (send_piece(conn, &head[dialect])) return;
    for (int i = 0; i < chunks_per_stream; i++)
        if (send_piece(conn, &content[dialect][i % VARIANTS])) return;
    send_piece(conn, with_usage ? &tail_usage : &tail[dialect]);
}

static int is_true(const char *body, const char *key) {
    const char *at = strstr(body, key);
    if (!at) return 0;
    at += strlen(key);
    at += strspn(at, " :");
    return *at == 't';
}

static void answer_post(struct conn *conn, enum dialect dialect, const char *body) {
    if (!is_true(body, "\"stream\"")) {
        unary_answered++;
        send_piece(conn, &unary[dialect]);
        return;
    }
    streams_answered++;
    int with_usage = dialect == OPENAI_CHAT && is_true(body, "\"include_usage\"");
    const char *at = strstr(body, "slot=");
    int slot = at ? atoi(at + 5) : SLOT_NONE;
    if (slot < 0 || slot >= SLOTS_MAX) {
        stream_at_once(conn, dialect, with_usage);
        return;
    }
    conn->slot = slot;
    sources[slot] = (struct source){.conn = conn, .dialect = dialect, .with_usage = with_usage, .due_us = now_us()};
    if (send_piece(conn, &head[dialect]) == 0) upstream_send_next(&sources[slot]);
}

static void answer(struct conn *conn, const char *request, const char *body) {
    if (strncmp(request, "POST ", 5) == 0) {
        size_t path_len = strcspn(request + 5, " ?");
        const char *path_end = request + 5 + path_len;
        if (path_len >= 17 && memcmp(path_end - 17, "/chat/completions", 17) == 0) answer_post(conn, OPENAI_CHAT, body);
        else if (path_len >= 9 && memcmp(path_end - 9, "/messages", 9) == 0) answer_post(conn, ANTHROPIC, body);
        else send_piece(conn, &not_found);
    } else if (strncmp(request, "GET /v1/models ", 15) == 0) send_piece(conn, &models);
    else if (strncmp(request, "GET /health", 11) == 0) send_piece(conn, &health);
    else send_piece(conn, &not_found);
}

size_t message_length(const char *buf, size_t len, const char **body) {
    const char *headers_end = memmem(buf, len, "\r\n\r\n", 4);
    if (!headers_end) return 0;
    *body = headers_end + 4;
    size_t headers = (size_t)(*body - buf);
    for (const char *line = buf; line < headers_end;) {
        const char *eol = memmem(line, len - (size_t)(line - buf), "\r\n", 2);
        if (strncasecmp(line, "content-length:", 15) == 0) {
            size_t total = headers + strtoul(line + 15, NULL, 10);
            return total <= len ? total : 0;
        }
        if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
            const char *last = memmem(*body, len - headers, "0\r\n\r\n", 5);
            return last ? (size_t)(last + 5 - buf) : 0;
        }
        line = eol + 2;
    }
    return headers;
}

void upstream_readable(struct conn *conn) {
    ssize_t got = recv(conn->fd, conn->buf + conn->len, REQUEST_BYTES_MAX - conn->len, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) conn_close(conn);
        return;
    }
    conn->len += (size_t)got;
    conn->buf[conn->len] = '\0';
    size_t used = 0, length;
    const char *body = NULL;
    while (conn->kind == CONN_PROVIDER && (length = message_length(conn->buf + used, conn->len - used, &body)) > 0) {
        char *end = conn->buf + used + length;
        char kept = *end; /* the searches of the body must not run into a pipelined request */
        *end = '\0';
        answer(conn, conn->buf + used, body);
        if (conn->kind != CONN_PROVIDER) return;
        *end = kept;
        used += length;
    }
    conn->len -= used;
    memmove(conn->buf, conn->buf + used, conn->len);
    if (conn->len == REQUEST_BYTES_MAX) conn_close(conn);
}

void upstream_accept(int listen_fd) {
    int fd;
    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn_add(fd, CONN_PROVIDER);
    }
}
