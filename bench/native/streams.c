/* The stream client: opens streams through a gateway and checks that each delivers every chunk and its terminal event.
 *
 * Lockstep (pace 0): a slot's next chunk leaves the provider when the last one has arrived here, so the gateway reads
 * exactly one chunk at a time; finished slots start over until the time is up. Paced: each slot runs one stream of a
 * chunk every `pace` microseconds, starts spread evenly over a ramp; gaps and first-chunk latencies are recorded. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CARRY = 16, READ_BYTES = 1 << 16, STALL_US = 250000, GRACE_US = 10000000, FAILED_MAX = 200 };
enum { FIRST_SAMPLES_MAX = 1 << 18 };

struct client {
    struct conn *conn;
    int active, answered, terminal, chunks;
    int64_t started_us, last_us;
    char carry[CARRY]; /* the end of the previous read: what is searched for may straddle two reads */
    size_t carry_len;
};

static struct client clients[SLOTS_MAX];
static char request[REQUEST_BYTES_MAX];
static size_t request_len, slot_offset;
static int gateway_port, active_count;
static int64_t stop_us;

static struct {
    long started, completed, failed, broken, chunks, nudges, stalls, late_us_max, gap_us_max;
    int64_t end_us;
    int first_count;
    int32_t first_us[FIRST_SAMPLES_MAX];
} result;

static void slot_idle(struct client *client) {
    client->active = 0;
    active_count--;
    result.end_us = now_us();
}

static void slot_start(int slot) {
    struct client *client = &clients[slot];
    struct conn *conn = client->conn;
    if (!conn) {
        int fd = client_connect(gateway_port);
        if (fd < 0) {
            result.failed++;
            return;
        }
        conn = conn_add(fd, CONN_CLIENT);
        conn->slot = slot;
    }
    char digits[8];
    snprintf(digits, sizeof digits, "%04d", slot);
    memcpy(request + slot_offset, digits, 4);
    *client = (struct client){.conn = conn, .active = 1, .started_us = now_us()};
    active_count++;
    result.started++;
    if (write_all(conn->fd, request, request_len)) {
        client->conn = NULL;
        conn_close(conn);
        result.failed++;
        slot_idle(client);
    }
}

static void slot_finished(struct client *client, int whole) {
    int slot = (int)(client - clients);
    if (whole) result.completed++;
    else if (client->answered) result.broken++;
    else result.failed++;
    if (!whole && client->conn) {
        conn_close(client->conn);
        client->conn = NULL;
    }
    slot_idle(client);
    if (!pace_us && now_us() < stop_us && result.failed + result.broken < FAILED_MAX) slot_start(slot);
}

static void chunks_arrived(struct client *client, int count) {
    int64_t now = now_us();
    if (client->chunks == 0) {
        if (result.first_count < FIRST_SAMPLES_MAX) result.first_us[result.first_count++] = (int32_t)(now - client->started_us);
    } else {
        long gap = (long)(now - client->last_us);
        if (gap > result.gap_us_max) result.gap_us_max = gap;
        if (gap > STALL_US) result.stalls++;
    }
    client->last_us = now;
    client->chunks += count;
    result.chunks += count;
    struct source *source = &sources[client - clients];
    if (!pace_us && source->sent <= client->chunks) upstream_send_next(source);
}

static int count_marks(const char *data, size_t len) {
    int count = 0;
    for (const char *at = data, *end = data + len; (at = memchr(at, MARK, (size_t)(end - at))); at++) count++;
    return count;
}

static void client_read(struct client *client, char *data, size_t len) {
    if (!client->answered) {
        client->answered = len >= 12 && memcmp(data, "HTTP/1.1 200", 12) == 0;
        if (!client->answered) {
            slot_finished(client, 0);
            return;
        }
    }
    int marks = count_marks(data, len);
    char *window = data - client->carry_len; /* the buffer keeps room for the carry in front */
    memcpy(window, client->carry, client->carry_len);
    size_t window_len = len + client->carry_len;
    if (marks) chunks_arrived(client, marks);
    if (client->chunks >= chunks_per_stream && memmem(window, window_len, "[DONE]", 6)) client->terminal = 1;
    int body_ended = window_len >= 7 && memcmp(window + window_len - 7, "\r\n0\r\n\r\n", 7) == 0;
    client->carry_len = window_len < CARRY ? window_len : CARRY;
    memcpy(client->carry, window + window_len - client->carry_len, client->carry_len);
    if (body_ended) slot_finished(client, client->terminal && client->chunks == chunks_per_stream);
}

void streams_readable(struct conn *conn) {
    static char buffer[CARRY + READ_BYTES];
    struct client *client = &clients[conn->slot];
    ssize_t got = recv(conn->fd, buffer + CARRY, READ_BYTES, MSG_DONTWAIT);
    if (got > 0 && client->active) client_read(client, buffer + CARRY, (size_t)got);
    else if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        int whole = client->terminal && client->chunks == chunks_per_stream;
        client->conn = NULL;
        conn_close(conn);
        if (client->active) slot_finished(client, whole);
    }
}

/* Sends what is due: paced chunks, and in lockstep the next chunk of a stream whose last one is being held back. */
static void release_due(int streams) {
    int64_t now = now_us();
    for (int slot = 0; slot < streams; slot++) {
        struct source *source = &sources[slot];
        if (!source->conn || source->due_us > now) continue;
        if (!pace_us) result.nudges++;
        else if (now - source->due_us > result.late_us_max) result.late_us_max = (long)(now - source->due_us);
        upstream_send_next(source);
    }
}

static int by_value(const void *a, const void *b) {
    return *(const int32_t *)a < *(const int32_t *)b ? -1 : *(const int32_t *)a > *(const int32_t *)b;
}

static int32_t first_percentile(int percent) {
    if (!result.first_count) return -1;
    return result.first_us[(int64_t)(result.first_count - 1) * percent / 100];
}

static void report(int64_t start_us, int64_t cpu_us, long unfinished) {
    qsort(result.first_us, (size_t)result.first_count, sizeof result.first_us[0], by_value);
    printf("{\"seconds\":%.6f,\"started\":%ld,\"completed\":%ld,\"failed\":%ld,\"broken\":%ld,\"unfinished\":%ld,"
           "\"chunks\":%ld,\"nudges\":%ld,\"stalls\":%ld,\"gap_us_max\":%ld,\"first_us_p50\":%d,\"first_us_p99\":%d,"
           "\"load_cpu_us\":%lld,\"load_late_us_max\":%ld}\n",
           (double)(result.end_us - start_us) / 1e6, result.started, result.completed, result.failed, result.broken,
           unfinished, result.chunks, result.nudges, result.stalls, result.gap_us_max, first_percentile(50),
           first_percentile(99), (long long)(own_cpu_us() - cpu_us), result.late_us_max);
    fflush(stdout);
}

static int load_request(const char *path) {
    long len = client_request(path, request);
    char *at = len > 0 ? strstr(request, "slot=") : NULL;
    if (!at || at + 9 > request + len) return -1;
    request_len = (size_t)len;
    slot_offset = (size_t)(at + 5 - request);
    return 0;
}

static void drop_all(int streams) {
    for (int slot = 0; slot < streams; slot++) {
        if (clients[slot].conn) conn_close(clients[slot].conn);
        clients[slot] = (struct client){0};
        if (sources[slot].conn) conn_close(sources[slot].conn);
    }
}

void streams_command(const char *line) {
    char path[1024];
    int streams, chunks, pace_ms, ramp_ms;
    double seconds;
    if (sscanf(line, "streams %d %d %d %lf %d %d %1023s", &gateway_port, &streams, &chunks, &seconds, &pace_ms, &ramp_ms, path) != 7
        || streams < 1 || streams > SLOTS_MAX || load_request(path)) {
        printf("{\"error\":\"bad command\"}\n");
        fflush(stdout);
        return;
    }
    memset(&result, 0, sizeof result);
    chunks_per_stream = chunks;
    pace_us = pace_ms * 1000LL;
    active_count = 0;
    int64_t start_us = now_us(), cpu_us = own_cpu_us(), next_due_scan = 0;
    int64_t ramp_us = ramp_ms * 1000LL;
    stop_us = start_us + (int64_t)(seconds * 1e6);
    int64_t natural_end = pace_us ? start_us + ramp_us + chunks * pace_us : stop_us;
    result.end_us = start_us;
    for (int opened = 0; now_us() < natural_end + GRACE_US;) {
        while (opened < streams && now_us() >= start_us + ramp_us * opened / streams) slot_start(opened++);
        if (opened == streams && active_count == 0) break;
        loop_once(pace_us ? 1 : 0, 0); /* lockstep polls: the wake-ups of a sleeping generator would be measured too */
        if (now_us() < next_due_scan) continue;
        release_due(streams);
        next_due_scan = now_us() + (pace_us ? 1000 : 20000);
    }
    report(start_us, cpu_us, active_count);
    drop_all(streams);
}
