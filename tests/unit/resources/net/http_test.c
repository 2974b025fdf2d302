/* HTTP as servers really answer: kept, cut short, late, huge, never. */
#include "tests/unit/resources/net/http_server.h"

#include "engine/core/clock.h"
#include "resources/net/http.h"

struct fixture {
    struct server *server;
    struct sf_http *http;
    struct sf_arena *arena;
    struct sf_http_reply reply;
    struct sf_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->server = server_start();
    f->http = sf_http_new();
    f->arena = sf_arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sf_http_free(f->http);
    server_stop(f->server);
    sf_arena_free(f->arena);
    free(f);
    return 0;
}

static struct sf_http_request request_to(struct fixture *f, const char *method, const char *path, const char *body)
{
    return (struct sf_http_request){
        .method = method,
        .url = sf_str_fmt(f->arena, "http://127.0.0.1:%d%s", f->server->port, path),
        .body = sf_str_of(body),
        .deadline_ms = sf_clock_ms() + 10000,
    };
}

static enum sf_code send_one(struct fixture *f, const char *method, const char *path, const char *body)
{
    struct sf_http_request request = request_to(f, method, path, body);
    return sf_http_send(f->http, f->arena, &request, &f->reply, &f->err);
}

static void assert_sent(struct fixture *f, size_t i, const char *text)
{
    if (!strstr(server_request(f->server, i), text))
        print_error("'%s' is not in: %s\n", text, server_request(f->server, i));
    assert_non_null(strstr(server_request(f->server, i), text));
}

static void a_reply_comes_back_whole_whatever_its_status(void **state)
{
    struct fixture *f = *state;
    server_will_reply(f->server, 404, "X-Request-Id:  abc \r\nX-REQUEST-ID: second\r\n", "nothing here");
    assert_int_equal(send_one(f, "GET", "/a/../b//c?x=%20", ""), SF_OK);
    assert_int_equal(f->reply.status, 404);
    assert_string_equal(f->reply.body.p, "nothing here");
    assert_string_equal(sf_http_header_of(&f->reply, "x-request-id").p, "abc");
    assert_int_equal(sf_http_header_of(&f->reply, "x-other").n, 0);
    assert_sent(f, 0, "GET /a/../b//c?x=%20 HTTP/1.1\r\n");
}

static void only_what_is_asked_for_is_sent(void **state)
{
    struct fixture *f = *state;
    const struct sf_http_header headers[] = {{SF_STR("x-amz-date"), SF_STR("now")}, {SF_STR("x-empty"), SF_STR_NONE}};
    struct sf_http_request request = request_to(f, "PUT", "/x", "<body/>");
    request.headers = headers;
    request.n_headers = 2;
    server_will_reply(f->server, 200, "", "");
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_OK);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "PUT /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-amz-date: now\r\nx-empty:\r\nContent-Length: 7\r\n\r\n<body/>",
             f->server->port);
    assert_string_equal(server_request(f->server, 0), expected);
}

static void every_method_has_the_length_that_servers_expect(void **state)
{
    struct fixture *f = *state;
    static const char *const methods[] = {"GET", "HEAD", "DELETE", "POST", "PUT"};
    for (size_t i = 0; i < SF_COUNT(methods); i++) {
        server_will_send(f->server,
                         i == 1 ? "HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n" : "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n",
                         SERVER_KEEP);
        assert_int_equal(send_one(f, methods[i], "/", ""), SF_OK);
        assert_true(strncmp(server_request(f->server, i), methods[i], strlen(methods[i])) == 0);
        assert_int_equal(strstr(server_request(f->server, i), "Content-Length: 0") != NULL, i >= 3);
    }
    assert_int_equal(server_connections(f->server), 1);
}

static void connections_are_kept_between_calls(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        struct sf_http_request request = request_to(f, "POST", "/", "x");
        request.is_once = i % 2;
        server_will_reply(f->server, 200, "", "ok");
        assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_OK);
    }
    assert_int_equal(server_requests(f->server), 5);
    assert_int_equal(server_connections(f->server), 1);
}

static void chunks_are_put_together(void **state)
{
    struct fixture *f = *state;
    server_will_send(f->server,
                     "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: z\r\n\r\n",
                     SERVER_KEEP);
    assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
    assert_string_equal(f->reply.body.p, "abcdefg");
}

static void the_headers_of_an_interim_reply_are_not_those_of_the_reply(void **state)
{
    struct fixture *f = *state;
    server_will_send(f->server, "HTTP/1.1 103 Early\r\nX-A: early\r\n\r\nHTTP/1.1 200 X\r\nX-B: late\r\nContent-Length: 0\r\n\r\n",
                     SERVER_KEEP);
    assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
    assert_int_equal(sf_http_header_of(&f->reply, "x-a").n, 0);
    assert_string_equal(sf_http_header_of(&f->reply, "x-b").p, "late");
}

static void a_reply_cut_short_may_have_been_acted_upon(void **state)
{
    struct fixture *f = *state;
    static const char *const cut[] = {"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf of it",
                                      "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n5\r\nab",
                                      "HTTP/1.1 200 X\r\nConte", "garbage\r\n\r\n"};
    for (size_t i = 0; i < SF_COUNT(cut); i++) {
        server_will_send(f->server, cut[i], SERVER_CLOSE);
        assert_int_equal(send_one(f, "POST", "/", "x"), SF_E_UNKNOWN);
        assert_non_null(strstr(f->err.message, "'127.0.0.1'"));
        assert_true(strncmp(f->err.remote_code, "curl:", 5) == 0);
    }
}

static void a_server_that_never_answers_is_left_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "POST", "/", "x");
    server_will_send(f->server, NULL, SERVER_HANG);
    int64_t from = sf_clock_ms();
    request.deadline_ms = from + 150;
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNKNOWN);
    assert_true(sf_clock_ms() - from < 2000);
    request.deadline_ms = sf_clock_ms() - 1;
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNAVAILABLE);
    assert_int_equal(server_requests(f->server), 1);
}

static void a_server_that_trickles_is_left_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "GET", "/", "");
    server_will_send(f->server, "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nso far", SERVER_HANG);
    request.deadline_ms = sf_clock_ms() + 150;
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNKNOWN);
}

static void nobody_listening_means_nothing_arrived(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "POST", "/", "x");
    struct server *gone = server_start();
    request.url = sf_str_fmt(f->arena, "http://127.0.0.1:%d/", gone->port);
    server_stop(gone);
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNAVAILABLE);
    assert_non_null(strstr(f->err.message, "cannot reach '127.0.0.1'"));
}

static void a_server_that_speaks_no_tls_is_not_reached(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "GET", "/", "");
    server_will_reply(f->server, 200, "", "plain");
    request.url = sf_str_fmt(f->arena, "https://127.0.0.1:%d/", f->server->port);
    request.deadline_ms = sf_clock_ms() + 300; /* the server waits for the end of a request that never comes */
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNAVAILABLE);
    assert_int_equal(server_requests(f->server), 0);
}

static void a_body_over_the_limit_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "GET", "/", "");
    request.max_reply_bytes = 10;
    server_will_reply(f->server, 200, "", "exactly 10");
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_OK);
    server_will_reply(f->server, 200, "", "eleven byte");
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNKNOWN);
    assert_string_equal(f->err.message, "'127.0.0.1' answered with more than 10 bytes");
}

static void headers_without_end_are_given_up(void **state)
{
    struct fixture *f = *state;
    struct sf_buf raw = SF_BUF(1 << 20);
    sf_buf_addz(&raw, "HTTP/1.1 200 X\r\n");
    for (int i = 0; i < 300; i++)
        sf_buf_addf(&raw, "X-%d: y\r\n", i);
    sf_buf_addz(&raw, "Content-Length: 0\r\n\r\n");
    server_will_send(f->server, raw.p, SERVER_KEEP);
    sf_buf_free(&raw);
    assert_int_equal(send_one(f, "GET", "/", ""), SF_E_UNKNOWN);
    assert_non_null(strstr(f->err.message, "more headers"));
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
    struct fixture *f = *state;
    server_will_reply(f->server, 307, "Location: http://127.0.0.1:1/elsewhere\r\n", "");
    assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
    assert_int_equal(f->reply.status, 307);
    assert_int_equal(server_requests(f->server), 1);
}

/* The server reads a second request from a kept connection and hangs up without a word: libcurl takes that for a stale connection
 * and would send anew, which a create must not be. */
static void what_must_be_sent_once_is_never_sent_again_on_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    for (int is_once = 0; is_once < 2; is_once++) {
        size_t before = server_requests(f->server);
        struct sf_http_request request = request_to(f, "POST", "/", "create");
        request.is_once = is_once;
        server_will_reply(f->server, 200, "", "");
        server_will_send(f->server, NULL, SERVER_CLOSE);
        server_will_reply(f->server, 200, "", "again");
        assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
        assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), is_once ? SF_E_UNKNOWN : SF_OK);
        assert_int_equal(server_requests(f->server) - before, is_once ? 2 : 3);
    }
    assert_string_equal(f->err.message, "'127.0.0.1' closed the connection without an answer");
}

static void a_create_without_a_body_takes_a_connection_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "PUT", "/", "");
    request.is_once = true;
    server_will_reply(f->server, 200, "", "");
    assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
    server_will_send(f->server, NULL, SERVER_CLOSE);
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNKNOWN);
    assert_int_equal(server_requests(f->server), 2);
    assert_int_equal(server_connections(f->server), 2);
}

static void plain_http_goes_to_this_machine_and_to_credential_services_only(void **state)
{
    struct fixture *f = *state;
    static const char *const refused[] = {"http://example.com/", "http://10.0.0.1/",           "http://localhost.example.com/",
                                          "ftp://localhost/",    "http://169.254.1.1/",        "http://127.0.0.1@example.com/",
                                          "not an address",      "http://user:pw@127.0.0.1/x", "file:///etc/passwd"};
    for (size_t i = 0; i < SF_COUNT(refused); i++) {
        struct sf_http_request request = {.method = "GET", .url = sf_str_of(refused[i]), .deadline_ms = sf_clock_ms() + 1000};
        assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_CONFIG);
        assert_null(strstr(f->err.message, "pw"));
    }
    struct sf_http_request request = request_to(f, "GET", "/", "");
    request.url = sf_str_fmt(f->arena, "http://localhost:%d/", f->server->port);
    server_will_reply(f->server, 200, "", "");
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_OK);
}

static void a_proxy_is_never_asked_for_loopback(void **state)
{
    struct fixture *f = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    server_will_reply(f->server, 200, "", "");
    assert_int_equal(send_one(f, "GET", "/", ""), SF_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void a_proxy_that_refuses_means_that_nothing_arrived_and_sees_no_header_of_ours(void **state)
{
    struct fixture *f = *state;
    const struct sf_http_header headers[] = {{SF_STR("authorization"), SF_STR("AWS4 secret")}};
    struct sf_http_request request = request_to(f, "POST", "/", "body");
    request.url = SF_STR("https://transfer.us-west-2.amazonaws.com/");
    request.headers = headers;
    request.n_headers = 1;
    setenv("https_proxy", sf_str_fmt(f->arena, "http://127.0.0.1:%d", f->server->port).p, 1);
    server_will_reply(f->server, 403, "Content-Type: text/html\r\n", "<html>not through here</html>");
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_UNAVAILABLE);
    unsetenv("https_proxy");
    assert_non_null(strstr(f->err.message, "cannot reach 'transfer.us-west-2.amazonaws.com'"));
    assert_non_null(strstr(f->err.message, "403"));
    assert_sent(f, 0, "CONNECT transfer.us-west-2.amazonaws.com:443 HTTP/1.1\r\n");
    assert_null(strstr(server_request(f->server, 0), "secret"));
}

static void a_header_with_a_line_end_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct sf_http_header headers[] = {{SF_STR("x-tag"), SF_STR("a\r\nx-admin: yes")}};
    struct sf_http_request request = request_to(f, "GET", "/", "");
    request.headers = headers;
    request.n_headers = 1;
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_CONFIG);
    assert_null(strstr(f->err.message, "admin"));
    assert_int_equal(server_requests(f->server), 0);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void a_call_under_way_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    struct sf_http_request request = request_to(f, "GET", "/", "");
    request.is_cancelled = always;
    server_will_send(f->server, NULL, SERVER_HANG);
    assert_int_equal(sf_http_send(f->http, f->arena, &request, &f->reply, &f->err), SF_E_CANCELLED);
}

static void *ask_seven_times(void *arg)
{
    struct fixture *f = arg;
    struct sf_arena *arena = sf_arena_new();
    for (int i = 0; i < 7; i++) {
        struct sf_http_reply reply;
        struct sf_err err;
        struct sf_http_request request = {.method = "POST", .body = SF_STR("x"), .deadline_ms = sf_clock_ms() + 10000};
        request.url = sf_str_fmt(arena, "http://127.0.0.1:%d/", f->server->port);
        request.is_once = i % 2;
        assert_int_equal(sf_http_send(f->http, arena, &request, &reply, &err), SF_OK);
        assert_string_equal(reply.body.p, "ok");
    }
    sf_arena_free(arena);
    return NULL;
}

static void threads_share_the_pool(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[8];
    for (int i = 0; i < 56; i++)
        server_will_reply(f->server, 200, "", "ok");
    for (size_t i = 0; i < SF_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_seven_times, f), 0);
    for (size_t i = 0; i < SF_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(server_requests(f->server), 56);
    assert_true(server_connections(f->server) <= 8);
}

static void dates_of_headers_are_read(void **state)
{
    int64_t ms = 0;
    (void)state;
    assert_true(sf_http_date(SF_STR("Sat, 21 Nov 2026 08:00:43 GMT"), &ms));
    assert_true(ms == 1795248043000);
    assert_false(sf_http_date(SF_STR("tomorrow"), &ms));
    assert_false(sf_http_date(SF_STR_NONE, &ms));
}

/* --- bodies that go to disk --- */

struct taken {
    char bytes[256];
    size_t n;
    uint64_t at;
    int begun;
    enum sf_code answer;
};

static enum sf_code begin_taking(void *ctx, const struct sf_http_reply *head, uint64_t at, struct sf_err *err)
{
    struct taken *taken = ctx;
    (void)err;
    assert_true(head->status == 200 || head->status == 206);
    taken->at = at;
    taken->begun++;
    return SF_OK;
}

static enum sf_code take(void *ctx, struct sf_str bytes, struct sf_err *err)
{
    struct taken *taken = ctx;
    assert_true(taken->n + bytes.n < sizeof(taken->bytes));
    memcpy(taken->bytes + taken->n, bytes.p, bytes.n);
    taken->n += bytes.n;
    taken->bytes[taken->n] = 0;
    return taken->answer ? sf_fail(err, taken->answer, "no room") : SF_OK;
}

static enum sf_code stream_one(struct fixture *f, uint64_t from, int stall_s, struct taken *taken)
{
    struct sf_http_request request = request_to(f, "GET", "/", "");
    request.deadline_ms = 0; /* not asked for */
    struct sf_http_stream stream = {
        .from = from, .validator = SF_STR("\"v1\""), .stall_s = stall_s, .begin = begin_taking, .take = take, .ctx = taken};
    return sf_http_stream(f->http, f->arena, &request, &stream, &f->reply, &f->err);
}

static void a_streamed_body_goes_to_the_callbacks_and_a_refusal_is_kept(void **state)
{
    struct fixture *f = *state;
    struct taken taken = {0}, none = {0}, empty = {0};
    server_will_reply(f->server, 200, "", "all of it");
    assert_int_equal(stream_one(f, 0, 0, &taken), SF_OK);
    assert_string_equal(taken.bytes, "all of it");
    assert_int_equal(f->reply.body.n, 0);
    assert_null(strstr(server_request(f->server, 0), "Range"));
    server_will_reply(f->server, 202, "Retry-After: 3\r\n", "later");
    assert_int_equal(stream_one(f, 0, 0, &none), SF_OK);
    assert_int_equal(none.begun, 0);
    assert_string_equal(f->reply.body.p, "later");
    server_will_reply(f->server, 200, "", "");
    assert_int_equal(stream_one(f, 0, 0, &empty), SF_OK);
    assert_int_equal(empty.begun, 1);
}

static void a_streamed_body_goes_on_where_it_broke_off_or_begins_again(void **state)
{
    struct fixture *f = *state;
    struct taken rest = {0}, whole = {0}, other = {0};
    server_will_reply(f->server, 206, "Content-Range: bytes 4-8/9\r\n", "of it");
    assert_int_equal(stream_one(f, 4, 0, &rest), SF_OK);
    assert_int_equal(rest.at, 4);
    assert_string_equal(rest.bytes, "of it");
    assert_sent(f, 0, "\r\nRange: bytes=4-\r\nIf-Range: \"v1\"\r\n");
    server_will_reply(f->server, 200, "", "new text");
    assert_int_equal(stream_one(f, 4, 0, &whole), SF_OK);
    assert_int_equal(whole.at, 0);
    static const char *const wrong[] = {"Content-Range: bytes 3-8/9\r\n", "Content-Range: bytes */9\r\n", ""};
    for (size_t i = 0; i < SF_COUNT(wrong); i++) {
        server_will_reply(f->server, 206, wrong[i], "l of it");
        assert_int_equal(stream_one(f, 4, 0, &other), SF_E_UNKNOWN);
        assert_int_equal(other.begun, 0);
    }
}

static void a_stream_ends_where_it_is_cut_stalls_or_cannot_be_kept(void **state)
{
    struct fixture *f = *state;
    struct taken cut = {0}, stalled = {0}, full = {.answer = SF_E_IO};
    server_will_send(f->server, "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf of it", SERVER_CLOSE);
    assert_int_equal(stream_one(f, 0, 0, &cut), SF_E_UNKNOWN);
    assert_string_equal(cut.bytes, "half of it");
    server_will_send(f->server, "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf of it", SERVER_HANG);
    assert_int_equal(stream_one(f, 0, 1, &stalled), SF_E_UNKNOWN);
    assert_string_equal(stalled.bytes, "half of it");
    server_will_reply(f->server, 200, "", "all of it");
    assert_int_equal(stream_one(f, 0, 0, &full), SF_E_IO);
    assert_string_equal(f->err.message, "no room");
}

static void what_a_location_means_depends_on_where_it_was_found(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][3] = {
        {"https://a.example/x/y?q=1", "/z", "https://a.example/z"},
        {"https://a.example/x/y", "z?b=%20", "https://a.example/x/z?b=%20"},
        {"https://a.example/x", "//b.example/y#part", "https://b.example/y"},
        {"https://a.example/x", "https://c.example/d", "https://c.example/d"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_str url;
        assert_true(sf_http_resolve(f->arena, sf_str_of(cases[i][0]), sf_str_of(cases[i][1]), &url));
        assert_string_equal(url.p, cases[i][2]);
    }
    struct sf_str url;
    assert_false(sf_http_resolve(f->arena, SF_STR("https://a.example/"), SF_STR_NONE, &url));
    assert_false(sf_http_resolve(f->arena, SF_STR("https://a.example/"), SF_STR("http://["), &url));
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(a_reply_comes_back_whole_whatever_its_status),
        EACH(only_what_is_asked_for_is_sent),
        EACH(every_method_has_the_length_that_servers_expect),
        EACH(connections_are_kept_between_calls),
        EACH(chunks_are_put_together),
        EACH(the_headers_of_an_interim_reply_are_not_those_of_the_reply),
        EACH(a_reply_cut_short_may_have_been_acted_upon),
        EACH(a_server_that_never_answers_is_left_at_the_deadline),
        EACH(a_server_that_trickles_is_left_at_the_deadline),
        EACH(nobody_listening_means_nothing_arrived),
        EACH(a_server_that_speaks_no_tls_is_not_reached),
        EACH(a_body_over_the_limit_is_given_up),
        EACH(headers_without_end_are_given_up),
        EACH(a_redirect_is_an_answer_and_not_followed),
        EACH(what_must_be_sent_once_is_never_sent_again_on_a_lost_connection),
        EACH(a_create_without_a_body_takes_a_connection_of_its_own),
        EACH(plain_http_goes_to_this_machine_and_to_credential_services_only),
        EACH(a_proxy_is_never_asked_for_loopback),
        EACH(a_proxy_that_refuses_means_that_nothing_arrived_and_sees_no_header_of_ours),
        EACH(a_header_with_a_line_end_is_refused),
        EACH(a_call_under_way_can_be_stopped),
        EACH(threads_share_the_pool),
        EACH(a_streamed_body_goes_to_the_callbacks_and_a_refusal_is_kept),
        EACH(a_streamed_body_goes_on_where_it_broke_off_or_begins_again),
        EACH(a_stream_ends_where_it_is_cut_stalls_or_cannot_be_kept),
        EACH(what_a_location_means_depends_on_where_it_was_found),
        cmocka_unit_test(dates_of_headers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
