/* An HTTP server on the loopback address that gives scripted replies and keeps what it was asked: for tests of what a real server
 * does only when it is broken. One thread a connection. Include it from the one file of a test program. */
#ifndef SF_TESTS_HTTP_SERVER_H
#define SF_TESTS_HTTP_SERVER_H

#include "engine/core/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_REPLIES = 64, SERVER_CONNECTIONS = 64, SERVER_REQUEST_BYTES = 1 << 20 };

enum server_then {
    SERVER_KEEP, /* the connection stays open */
    SERVER_CLOSE,
    SERVER_HANG, /* what there is is sent, and then nothing more happens */
};

struct server {
    int listener, port;
    pthread_t acceptor;
    pthread_mutex_t mutex;
    struct {
        char *text; /* as sent, or NULL: nothing is sent */
        size_t n;
        enum server_then then;
    } replies[SERVER_REPLIES];
    size_t n_replies, n_given;
    char *requests[SERVER_REPLIES]; /* whole, head and body */
    size_t n_requests;
    struct connection {
        struct server *server;
        int fd;
        pthread_t thread;
    } connections[SERVER_CONNECTIONS];
    size_t n_connections;
};

/* Reads one request into `text`; false at the end of the connection. */
static inline bool server_read(int fd, char *text)
{
    size_t n = 0, want = SIZE_MAX;
    while (n < want) {
        ssize_t got = read(fd, text + n, SERVER_REQUEST_BYTES - 1 - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = 0;
        const char *end = want == SIZE_MAX ? strstr(text, "\r\n\r\n") : NULL;
        if (!end)
            continue;
        const char *length = strcasestr(text, "\r\ncontent-length:");
        want = (size_t)(end + 4 - text) + (length && length < end ? (size_t)atol(length + 17) : 0);
    }
    return true;
}

static inline void *server_serve(void *arg)
{
    struct connection *c = arg;
    struct server *s = c->server;
    char *text = calloc(1, SERVER_REQUEST_BYTES);
    while (text && server_read(c->fd, text)) {
        pthread_mutex_lock(&s->mutex);
        size_t i = s->n_given < s->n_replies ? s->n_given++ : SIZE_MAX;
        if (s->n_requests < SERVER_REPLIES)
            s->requests[s->n_requests++] = strdup(text);
        pthread_mutex_unlock(&s->mutex);
        static const char none[] = "HTTP/1.1 599 Not In The Script\r\nContent-Length: 0\r\n\r\n";
        const char *reply = i == SIZE_MAX ? none : s->replies[i].text;
        size_t n = i == SIZE_MAX ? sizeof(none) - 1 : s->replies[i].n;
        enum server_then then = i == SIZE_MAX ? SERVER_CLOSE : s->replies[i].then;
        for (size_t sent = 0; reply && sent < n;) {
            ssize_t now = send(c->fd, reply + sent, n - sent, MSG_NOSIGNAL);
            if (now <= 0)
                break;
            sent += (size_t)now;
        }
        if (then == SERVER_CLOSE)
            break;
    }
    free(text);
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static inline void *server_accept(void *arg)
{
    struct server *s = arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&s->mutex);
        struct connection *c = &s->connections[s->n_connections];
        *c = (struct connection){.server = s, .fd = fd};
        bool has_room = s->n_connections < SERVER_CONNECTIONS && pthread_create(&c->thread, NULL, server_serve, c) == 0;
        s->n_connections += has_room;
        pthread_mutex_unlock(&s->mutex);
        if (!has_room)
            close(fd);
    }
}

static inline struct server *server_start(void)
{
    struct server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_non_null(s);
    pthread_mutex_init(&s->mutex, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->acceptor, NULL, server_accept, s), 0);
    return s;
}

static inline void server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    for (size_t i = 0; i < s->n_connections; i++) {
        shutdown(s->connections[i].fd, SHUT_RDWR);
        pthread_join(s->connections[i].thread, NULL);
        close(s->connections[i].fd);
    }
    for (size_t i = 0; i < s->n_replies; i++)
        free(s->replies[i].text);
    for (size_t i = 0; i < s->n_requests; i++)
        free(s->requests[i]);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* The next reply, byte for byte; NULL: none. */
static inline void server_will_send(struct server *s, const char *raw, enum server_then then)
{
    assert_true(s->n_replies < SERVER_REPLIES);
    pthread_mutex_lock(&s->mutex);
    s->replies[s->n_replies].text = raw ? strdup(raw) : NULL;
    s->replies[s->n_replies].n = raw ? strlen(raw) : 0;
    s->replies[s->n_replies++].then = then;
    pthread_mutex_unlock(&s->mutex);
}

/* The next reply: status, further header lines (each ended by \r\n; may be ""), body. */
static inline void server_will_reply(struct server *s, int status, const char *headers, const char *body)
{
    size_t size = strlen(headers) + strlen(body) + 128;
    char *raw = malloc(size);
    assert_non_null(raw);
    snprintf(raw, size, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers, body);
    server_will_send(s, raw, SERVER_KEEP);
    free(raw);
}

/* The i-th request as it came, or "" if there was none. */
static inline const char *server_request(struct server *s, size_t i)
{
    pthread_mutex_lock(&s->mutex);
    const char *text = i < s->n_requests ? s->requests[i] : "";
    pthread_mutex_unlock(&s->mutex);
    return text;
}

/* How many requests and connections there were so far. */
static inline size_t server_requests(struct server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t n = s->n_requests;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

static inline size_t server_connections(struct server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t n = s->n_connections;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

#endif
