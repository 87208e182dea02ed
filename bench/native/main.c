/* The load process: `load PORT` serves the simulated provider on 127.0.0.1:PORT (0: any; printed), and runs the loads
 * that it reads from standard input, one a line:
 *     streams GATEWAY_PORT STREAMS CHUNKS SECONDS PACE_MS RAMP_MS REQUEST_FILE
 *     unary GATEWAY_PORT CONNECTIONS SECONDS REQUESTS_MAX REQUEST_FILE
 *     answered
 * each answered by one line of JSON. It ends when standard input does. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, BACKLOG = 4096, WRITE_PATIENCE_MS = 1000 };

int epoll_fd, chunks_per_stream = 200;
int64_t pace_us;
struct source sources[SLOTS_MAX];
static struct conn conns[CONNS_MAX]; /* indexed by descriptor */

int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

struct conn *conn_add(int fd, enum kind kind) {
    if (fd < 0 || fd >= CONNS_MAX) {
        fprintf(stderr, "load: too many connections\n");
        exit(1);
    }
    struct conn *conn = &conns[fd];
    char *buf = conn->buf;
    if (!buf && (kind == CONN_PROVIDER || kind == CONN_UNARY) && !(buf = malloc(REQUEST_BYTES_MAX + 1))) exit(1);
    *conn = (struct conn){.fd = fd, .kind = kind, .slot = SLOT_NONE, .buf = buf};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return conn;
}

static void conn_pause(struct conn *conn, int paused) {
    struct epoll_event event = {.events = paused ? 0 : EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

void conn_close(struct conn *conn) {
    if (conn->kind == CONN_FREE) return;
    if (conn->kind == CONN_PROVIDER && conn->slot != SLOT_NONE && sources[conn->slot].conn == conn) sources[conn->slot].conn = NULL;
    conn->kind = CONN_FREE;
    close(conn->fd);
}

/* Blocks for a reader that is behind, but only so long. */
int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t done = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done >= 0) {
            data += done;
            len -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            if (poll(&writable, 1, WRITE_PATIENCE_MS) <= 0) return -1;
        } else if (errno != EINTR) return -1;
    }
    return 0;
}

int client_connect(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct timeval patience = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

long client_request(const char *path, char out[REQUEST_BYTES_MAX]) {
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    size_t len = fread(out, 1, REQUEST_BYTES_MAX - 1, file);
    fclose(file);
    out[len] = '\0';
    return (long)len;
}

int64_t own_cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void commands_readable(void) {
    static char line[4096];
    if (!fgets(line, sizeof line, stdin)) exit(0);
    conn_pause(&conns[STDIN_FILENO], 1); /* a command that waits must not keep the loop spinning */
    if (strncmp(line, "unary ", 6) == 0) unary_command(line);
    else if (strncmp(line, "answered", 8) == 0) {
        printf("{\"unary\":%ld,\"streams\":%ld}\n", unary_answered, streams_answered);
        fflush(stdout);
    } else streams_command(line);
    conn_pause(&conns[STDIN_FILENO], 0);
}

void loop_once(int timeout_ms, int commands_too) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct conn *conn = events[i].data.ptr;
        if (conn->kind == CONN_PROVIDER) upstream_readable(conn);
        else if (conn->kind == CONN_CLIENT) streams_readable(conn);
        else if (conn->kind == CONN_UNARY) unary_readable(conn);
        else if (conn->kind == CONN_LISTEN) upstream_accept(conn->fd);
        else if (conn->kind == CONN_COMMANDS && commands_too) commands_readable();
    }
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, BACKLOG)) {
        perror("load: cannot listen");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: load PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < CONNS_MAX ? files.rlim_max : CONNS_MAX;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdin, NULL, _IONBF, 0); /* epoll must see every line that waits */
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    upstream_build();
    conn_add(listen_on(atoi(argv[1])), CONN_LISTEN);
    conn_add(STDIN_FILENO, CONN_COMMANDS);
    for (;;) loop_once(-1, 1);
}
