/* The client of ordinary requests: each connection sends the same request again as soon as its reply is whole.
 * Stops after a time or a number of replies, whichever comes first; failures end the connection and are counted. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SAMPLES_MAX = 1 << 21, FAILED_MAX = 1000, GRACE_US = 5000000 };

struct caller {
    struct conn *conn;
    int64_t started_us;
    int waiting;
};

static struct caller callers[SLOTS_MAX];
static char request[REQUEST_BYTES_MAX];
static size_t request_len;
static int gateway_port, waiting_count, sample_count;
static int32_t samples_us[SAMPLES_MAX];
static long completed, failed, started, requests_max;
static int64_t stop_us;

static void caller_start(struct caller *caller) {
    if (started >= requests_max || failed >= FAILED_MAX || now_us() >= stop_us) return;
    if (!caller->conn) {
        int fd = client_connect(gateway_port);
        if (fd < 0) {
            failed++;
            return;
        }
        caller->conn = conn_add(fd, CONN_UNARY);
        caller->conn->slot = (int)(caller - callers);
    }
    started++;
    waiting_count++;
    caller->waiting = 1;
    caller->started_us = now_us();
    /* A write that fails shows as an end of file, which is handled where replies are read. */
    (void)write_all(caller->conn->fd, request, request_len);
}

static void caller_done(struct caller *caller, int good) {
    if (caller->waiting) {
        caller->waiting = 0;
        waiting_count--;
        if (good) completed++;
        else failed++;
        if (good && sample_count < SAMPLES_MAX) samples_us[sample_count++] = (int32_t)(now_us() - caller->started_us);
    }
}

static void caller_drop(struct caller *caller) {
    if (caller->conn) conn_close(caller->conn);
    caller->conn = NULL;
}

void unary_readable(struct conn *conn) {
    struct caller *caller = &callers[conn->slot];
    ssize_t got = recv(conn->fd, conn->buf + conn->len, REQUEST_BYTES_MAX - conn->len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        int was_waiting = caller->waiting;
        caller_done(caller, 0);
        caller_drop(caller);
        if (was_waiting) caller_start(caller);
        return;
    }
    conn->len += (size_t)got;
    conn->buf[conn->len] = '\0';
    const char *body;
    size_t length = message_length(conn->buf, conn->len, &body);
    if (!length && conn->len < REQUEST_BYTES_MAX) return;
    caller_done(caller, length == conn->len && memcmp(conn->buf, "HTTP/1.1 200", 12) == 0);
    conn->len = 0;
    if (!length) caller_drop(caller);
    caller_start(caller);
}

static int by_value(const void *a, const void *b) {
    return *(const int32_t *)a < *(const int32_t *)b ? -1 : *(const int32_t *)a > *(const int32_t *)b;
}

static int percentile(int percent) {
    return sample_count ? samples_us[(int64_t)(sample_count - 1) * percent / 100] : -1;
}

static int prepare(const char *line, int *connections) {
    char path[1024];
    double seconds;
    if (sscanf(line, "unary %d %d %lf %ld %1023s", &gateway_port, connections, &seconds, &requests_max, path) != 5) return -1;
    long len = client_request(path, request);
    if (len <= 0 || *connections < 1 || *connections > SLOTS_MAX) return -1;
    request_len = (size_t)len;
    completed = failed = started = waiting_count = sample_count = 0;
    stop_us = now_us() + (int64_t)(seconds * 1e6);
    return 0;
}

void unary_command(const char *line) {
    int connections = 0;
    if (prepare(line, &connections)) {
        printf("{\"error\":\"bad command\"}\n");
        fflush(stdout);
        return;
    }
    int64_t start_us = now_us(), cpu_us = own_cpu_us();
    for (int i = 0; i < connections; i++) caller_start(&callers[i]);
    while (waiting_count > 0 && now_us() < stop_us + GRACE_US) loop_once(0, 0);
    int64_t end_us = now_us();
    qsort(samples_us, (size_t)sample_count, sizeof samples_us[0], by_value);
    printf("{\"seconds\":%.6f,\"completed\":%ld,\"failed\":%ld,\"unfinished\":%d,\"p50_us\":%d,\"p99_us\":%d,\"load_cpu_us\":%lld}\n",
           (double)(end_us - start_us) / 1e6, completed, failed, waiting_count, percentile(50), percentile(99),
           (long long)(own_cpu_us() - cpu_us));
    fflush(stdout);
    for (int i = 0; i < connections; i++) {
        caller_drop(&callers[i]);
        callers[i] = (struct caller){0};
    }
}
