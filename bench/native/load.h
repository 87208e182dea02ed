/* What the parts of the load process share: the simulated provider (upstream.c), which answers requests, and the
 * clients (streams.c, unary.c), which send them through a gateway and count what comes out.
 *
 * All live in one thread on one epoll so that the next chunk of a stream can be released at the very moment
 * its predecessor reached the client: "one chunk a read" then holds exactly, for fast and slow gateways alike. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

enum { SLOTS_MAX = 4096, CONNS_MAX = 1 << 16, REQUEST_BYTES_MAX = 1 << 18, SLOT_NONE = -1 };

/* Stands once in the text of every content chunk and nowhere else in a reply, whatever dialect it ends up in:
 * counting it counts the chunks delivered. */
#define MARK '^'

enum kind { CONN_FREE, CONN_COMMANDS, CONN_LISTEN, CONN_PROVIDER, CONN_CLIENT, CONN_UNARY };

struct conn {
    int fd;
    enum kind kind;
    int slot;      /* the stream or caller this connection serves, or SLOT_NONE */
    char *buf;     /* provider: the request read so far; unary client: the reply read so far */
    size_t len;
};

enum dialect { OPENAI_CHAT, ANTHROPIC };

/* One provider-side stream; a slot number in the request's text ties it to its client. */
struct source {
    struct conn *conn;   /* NULL when no stream is open */
    enum dialect dialect;
    int sent;
    int with_usage;
    int64_t due_us;      /* paced: when the next chunk goes out; lockstep: when it goes out unasked */
};

extern int epoll_fd;
extern int chunks_per_stream;
extern int64_t pace_us; /* 0: lockstep */
extern struct source sources[SLOTS_MAX];
extern long unary_answered, streams_answered; /* since the process began: shows that a gateway did ask the provider */

int64_t now_us(void);
struct conn *conn_add(int fd, enum kind kind);
void conn_close(struct conn *conn);
int write_all(int fd, const char *data, size_t len);
int client_connect(int port);                                               /* -1 when it cannot */
long client_request(const char *path, char out[REQUEST_BYTES_MAX]);         /* length of the request in a file, or -1 */
int64_t own_cpu_us(void);
size_t message_length(const char *buf, size_t len, const char **body);      /* 0 while the HTTP message is not whole */

void upstream_build(void);
void upstream_accept(int listen_fd);
void upstream_readable(struct conn *conn);
void upstream_send_next(struct source *source);

void streams_command(const char *line); /* runs one load to its end and prints one line of JSON */
void streams_readable(struct conn *conn);

void unary_command(const char *line); /* the same for ordinary requests */
void unary_readable(struct conn *conn);

void loop_once(int timeout_ms, int commands_too);

#endif
