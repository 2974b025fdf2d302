/* Drives the parts of the SFTP world that are pure or thin, for tests/local: no engine, no territory.
 *
 *   sftp_harness conf DIR < JSON     writes proftpd.conf, passwd and keys/ into DIR and prints every user's rights
 *   sftp_harness serve DIR PROGRAM   becomes PROGRAM (proftpd), confined as the real server is
 *   sftp_harness serve-open DIR PROGRAM   the same without the confinement: shows what it is for
 *   sftp_harness client HOST PORT USER KEYFILE FINGERPRINT < commands
 *                                    our libssh2 transport: tab-separated put, putfile, get, ls, stat, rm, rmdir, mkdir, rename;
 * one line of answer each: result code, then the error or what was read
 *   sftp_harness deliver HOST PORT USER KEYFILE FINGERPRINT < lines of step, local path, remote path
 *                                    the files put as an upload does; one line of answer, as above, with the number put
 */
#include "engine/core/json.h"
#include "resources/local/confine.h"
#include "resources/local/sftp_conf.h"
#include "resources/net/sftp_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_INPUT_BYTES = 1024 * 1024 };

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static struct sf_str read_input(struct sf_arena *arena)
{
    struct sf_buf buf = SF_BUF(MAX_INPUT_BYTES);
    char bytes[4096];
    size_t n;
    while ((n = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
        sf_buf_add(&buf, (struct sf_str){bytes, n});
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static bool write_file(const char *path, struct sf_str text)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    bool ok = fwrite(text.p, 1, text.n, file) == text.n;
    ok = fclose(file) == 0 && ok;
    return chmod(path, 0600) == 0 && ok;
}

static const struct sf_str *strings(struct sf_arena *arena, const struct sf_value *list, size_t *n)
{
    *n = list && list->type == SF_V_LIST ? list->list.n : 0;
    struct sf_str *items = SF_NEW_ARRAY(arena, *n + 1, struct sf_str);
    for (size_t i = 0; i < *n; i++)
        items[i] = list->list.items[i]->s;
    return items;
}

static unsigned verbs_of(const struct sf_value *row)
{
    static const char *const names[] = {"list", "get", "put", "delete"};
    const struct sf_value *list = sf_map_getz(row, "verbs");
    unsigned verbs = 0;
    for (size_t i = 0; list && i < list->list.n; i++) {
        for (size_t k = 0; k < SF_COUNT(names); k++)
            verbs |= sf_str_is(list->list.items[i]->s, names[k]) ? 1U << k : 0;
    }
    return verbs;
}

static struct sf_sftp_login login_of(struct sf_arena *arena, const struct sf_value *v)
{
    struct sf_sftp_login l = {
        .name = sf_map_str(v, "name"), .data_dir = sf_map_str(v, "data_dir"), .prefix = sf_map_str(v, "prefix")};
    const struct sf_value *rows = sf_map_getz(v, "grants");
    l.keys = strings(arena, sf_map_getz(v, "keys"), &l.n_keys);
    l.n_grants = rows ? rows->list.n : 0;
    struct sf_sftp_grant *grants = SF_NEW_ARRAY(arena, l.n_grants + 1, struct sf_sftp_grant);
    for (size_t i = 0; i < l.n_grants; i++) {
        const struct sf_value *row = rows->list.items[i];
        unsigned verbs = verbs_of(row);
        grants[i] = (struct sf_sftp_grant){sf_map_str(row, "prefix"), verbs, sf_map_bool(row, "may_list", verbs & SF_SFTP_LIST)};
    }
    l.grants = grants;
    return l;
}

static int write_conf(struct sf_arena *arena, const char *dir)
{
    const struct sf_value *in;
    struct sf_err err = {.code = SF_OK};
    if (sf_json_parse(arena, read_input(arena), "stdin", SF_JSON_PLAIN, &in, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    struct sf_sftp_conf conf = {.dir = sf_str_of(dir),
                                .address = sf_map_str(in, "address"),
                                .port = (int)sf_map_int(in, "port", 0),
                                .user = sf_map_str(in, "user"),
                                .group = sf_map_str(in, "group"),
                                .uid = (uid_t)sf_map_int(in, "uid", 0),
                                .gid = (gid_t)sf_map_int(in, "gid", 0)};
    conf.host_keys = strings(arena, sf_map_getz(in, "host_keys"), &conf.n_host_keys);
    const struct sf_value *users = sf_map_getz(in, "logins");
    struct sf_sftp_login *logins = SF_NEW_ARRAY(arena, users->list.n + 1, struct sf_sftp_login);
    conf.logins = logins;
    mkdir(sf_str_fmt(arena, "%s/keys", dir).p, 0700);
    for (size_t i = 0; i < users->list.n; i++) {
        struct sf_str keys;
        logins[i] = login_of(arena, users->list.items[i]);
        if (sf_sftp_keys_text(arena, &logins[i], &keys, &err)) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        if (!write_file(sf_str_fmt(arena, "%s/keys/%.*s", dir, SF_ARG(logins[i].name)).p, keys))
            return fail("keys");
        printf("%.*s\n%s", SF_ARG(logins[i].name), sf_sftp_access_text(arena, &logins[i]).p);
    }
    conf.n_logins = users->list.n;
    if (!write_file(sf_str_fmt(arena, "%s/proftpd.conf", dir).p, sf_sftp_conf_text(arena, &conf)) ||
        !write_file(sf_str_fmt(arena, "%s/passwd", dir).p, sf_sftp_users_text(arena, &conf)))
        return fail(dir);
    return 0;
}

static int serve(struct sf_arena *arena, const char *dir, const char *program, bool is_confined)
{
    const char *conf = sf_str_fmt(arena, "%s/proftpd.conf", dir).p;
    const char *const writable[] = {dir, sf_str_fmt(arena, "%s/../buckets", dir).p, NULL};
    struct sf_confinement confinement = {.program = program, .writable = writable};
    if (is_confined && !sf_confine_thread(&confinement))
        return fail("confine");
    execl(program, program, "-n", "-q", "-c", conf, (char *)NULL);
    return fail(program);
}

static const char *code_name(enum sf_code code)
{
    switch (code) {
    case SF_OK:
        return "OK";
    case SF_E_ABSENT:
        return "ABSENT";
    case SF_E_DENIED:
        return "DENIED";
    case SF_E_REFUSED:
        return "REFUSED";
    case SF_E_AUTH:
        return "AUTH";
    case SF_E_UNAVAILABLE:
        return "UNAVAILABLE";
    case SF_E_UNKNOWN:
        return "UNKNOWN";
    case SF_E_USAGE:
    case SF_E_CONFIG:
    case SF_E_CONFLICT:
    case SF_E_THROTTLED:
    case SF_E_CANCELLED:
    case SF_E_LOCKED:
    case SF_E_STALE:
    case SF_E_DATA:
    case SF_E_UNPUBLISHED:
    case SF_E_IO:
    case SF_E_INTERNAL:
        break;
    }
    return "OTHER";
}

static enum sf_code run_command(struct sf_arena *arena, struct sf_sftp *s, const struct sf_str *word, struct sf_str *said,
                                struct sf_err *err)
{
    struct sf_sftp_entry entry = {.bytes = 0}, *entries;
    size_t n = 0;
    enum sf_code rc;
    *said = SF_STR("");
    if (sf_str_is(word[0], "put"))
        return sf_sftp_put_bytes(s, word[1], word[2], err);
    if (sf_str_is(word[0], "putfile"))
        return sf_sftp_put_file(s, word[1], word[2].p, NULL, err);
    if (sf_str_is(word[0], "get"))
        return sf_sftp_get(s, word[1], MAX_INPUT_BYTES, said, err);
    if (sf_str_is(word[0], "rm"))
        return sf_sftp_remove(s, word[1], err);
    if (sf_str_is(word[0], "rmdir"))
        return sf_sftp_rmdir(s, word[1], err);
    if (sf_str_is(word[0], "mkdir"))
        return sf_sftp_mkdir(s, word[1], err);
    if (sf_str_is(word[0], "rename"))
        return sf_sftp_rename(s, word[1], word[2], err);
    if (sf_str_is(word[0], "stat")) {
        rc = sf_sftp_stat(s, word[1], &entry, err);
        *said = sf_str_fmt(arena, "%lld %s", (long long)entry.bytes, entry.is_dir ? "dir" : "file");
        return rc;
    }
    rc = sf_sftp_list(s, word[1], &entries, &n, err);
    for (size_t i = 0; i < n; i++)
        *said = sf_str_fmt(arena, "%.*s%s%.*s", SF_ARG(*said), i ? " " : "", SF_ARG(entries[i].name));
    return rc;
}

enum { MAX_KEY_BYTES = 16384, MAX_LINE_BYTES = 8192, MAX_FILES = 1000 };

/* HOST PORT USER KEYFILE FINGERPRINT */
static bool read_target(struct sf_arena *arena, char **argv, struct sf_sftp_target *target)
{
    char *key = sf_arena_alloc(arena, MAX_KEY_BYTES);
    FILE *file = fopen(argv[3], "re");
    if (!file)
        return false;
    size_t n = fread(key, 1, MAX_KEY_BYTES, file);
    fclose(file);
    struct sf_str *fingerprint = SF_NEW(arena, struct sf_str);
    *fingerprint = sf_str_of(argv[4]);
    *target = (struct sf_sftp_target){.host = sf_str_of(argv[0]),
                                      .port = atoi(argv[1]),
                                      .user = sf_str_of(argv[2]),
                                      .private_key = {key, n},
                                      .fingerprints = fingerprint,
                                      .n_fingerprints = 1};
    return true;
}

static enum sf_code count(void *ctx, size_t i, struct sf_err *err)
{
    (void)i, (void)err;
    ++*(size_t *)ctx;
    return SF_OK;
}

static int deliver(struct sf_arena *arena, char **argv)
{
    static char line[MAX_LINE_BYTES];
    struct sf_sftp_target target;
    struct sf_put_file *files = SF_NEW_ARRAY(arena, MAX_FILES, struct sf_put_file);
    struct sf_err err = {.code = SF_OK};
    size_t n = 0, n_done = 0;
    if (!read_target(arena, argv, &target))
        return fail(argv[3]);
    for (; n < MAX_FILES && fgets(line, sizeof(line), stdin); n++) {
        const char *step = strtok(line, "\t\n"), *local = strtok(NULL, "\t\n"), *remote = strtok(NULL, "\t\n");
        files[n] = (struct sf_put_file){
            .path = sf_str_dup(arena, sf_str_of(remote)), .local_path = sf_str_dup(arena, sf_str_of(local)).p, .step = atoi(step)};
    }
    const struct sf_put_calls calls = {.done = count, .ctx = &n_done};
    enum sf_code rc = sf_sftp_put_many(&target, files, n, &calls, &err);
    printf("%s\t%s\t%zu\n", code_name(rc), rc ? err.message : "", n_done);
    return 0;
}

static int client(struct sf_arena *arena, char **argv)
{
    static char line[MAX_LINE_BYTES];
    struct sf_sftp_target target;
    if (!read_target(arena, argv, &target))
        return fail(argv[3]);
    struct sf_sftp *s;
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = sf_sftp_connect(arena, &target, &s, &err);
    printf("%s\t%s\n", code_name(rc), rc ? err.message : "");
    while (rc == SF_OK && fgets(line, sizeof(line), stdin)) {
        struct sf_str word[3] = {SF_STR(""), SF_STR(""), SF_STR("")}, said;
        size_t k = 0;
        for (char *at = strtok(line, "\t\n"); at && k < 3; at = strtok(NULL, "\t\n"))
            word[k++] = sf_str_of(at);
        enum sf_code got = run_command(arena, s, word, &said, &err);
        printf("%s\t%.*s\n", code_name(got), got ? (int)strlen(err.message) : (int)said.n, got ? err.message : said.p);
    }
    sf_sftp_close(rc == SF_OK ? s : NULL);
    return 0;
}

int main(int argc, char **argv)
{
    struct sf_arena *arena = sf_arena_new();
    int status = 64;
    if (argc == 3 && strcmp(argv[1], "conf") == 0)
        status = write_conf(arena, argv[2]);
    else if (argc == 4 && strcmp(argv[1], "serve") == 0)
        status = serve(arena, argv[2], argv[3], true);
    else if (argc == 4 && strcmp(argv[1], "serve-open") == 0)
        status = serve(arena, argv[2], argv[3], false);
    else if (argc == 7 && strcmp(argv[1], "client") == 0)
        status = client(arena, argv + 2);
    else if (argc == 7 && strcmp(argv[1], "deliver") == 0)
        status = deliver(arena, argv + 2);
    sf_arena_free(arena);
    return status;
}
