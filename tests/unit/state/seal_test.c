/* state/key.c, seal.c: where the key comes from, what is sealed and to what it is bound. */
#include "tests/unit/state/fixture.h"

#define CANARY "canary-7c1f0b-in-the-clear"
#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

static struct sf_store *open_with_key(struct fixture *f)
{
    struct sf_store *store = open_writer(f);
    assert_ok(f, sf_store_load_key(store, true, &f->err));
    return store;
}

static void seal(struct fixture *f, struct sf_store *store, const char *address, const char *name, const char *clear)
{
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_seal(store, sf_str_of(address), name, sf_str_of(clear), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
}

static enum sf_code unseal(struct fixture *f, struct sf_store *store, const char *address, const char *name, struct sf_str *clear)
{
    return sf_store_unseal(store, f->arena, sf_str_of(address), name, clear, &f->err);
}

static const char *default_key_file(const struct fixture *f)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/config/sfstack/key", f->dir);
    return path;
}

static void write_key_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static void a_sealed_value_opens_again_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_with_key(f);
    seal(f, store, "var.db_password", "value", CANARY);
    seal(f, store, "ssh_key.k", "private_key", "");
    sf_store_close(store);
    store = open_reader(f);
    assert_ok(f, sf_store_load_key(store, false, &f->err));
    struct sf_str clear;
    assert_ok(f, unseal(f, store, "var.db_password", "value", &clear));
    assert_true(sf_str_is(clear, CANARY));
    assert_ok(f, unseal(f, store, "ssh_key.k", "private_key", &clear));
    assert_int_equal(clear.n, 0);
    assert_int_equal(unseal(f, store, "ssh_key.k", "other", &clear), SF_E_ABSENT);
    sf_store_close(store);
}

static void what_is_sealed_again_replaces_and_what_is_dropped_is_gone(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_with_key(f);
    seal(f, store, "ssh_key.k", "private_key", "one");
    seal(f, store, "ssh_key.k", "private_key", "two");
    struct sf_str clear;
    assert_ok(f, unseal(f, store, "ssh_key.k", "private_key", &clear));
    assert_true(sf_str_is(clear, "two"));
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_drop_secrets(store, SF_STR("ssh_key.k"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(unseal(f, store, "ssh_key.k", "private_key", &clear), SF_E_ABSENT);
    sf_store_close(store);
}

static void no_secret_is_in_any_file_in_the_clear(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_with_key(f);
    seal(f, store, "var.db_password", "value", CANARY);
    struct sf_row row = a_row("value.a");
    struct sf_value *attrs = sf_value_map(f->arena);
    sf_map_set(f->arena, attrs, SF_STR("password"),
               sf_value_fingerprint(f->arena, sf_store_fingerprint(store, f->arena, SF_STR(CANARY))));
    row.attrs = attrs;
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_row(store, &row, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_true(file_holds(beside(f, "-wal"), "var.db_password")); /* it is there, and sealed */
    assert_false(file_holds(beside(f, "-wal"), CANARY));
    assert_false(file_holds(beside(f, "-shm"), CANARY));
    sf_store_close(store);
    assert_true(file_holds(f->path, "var.db_password"));
    assert_true(file_holds(f->path, "hmac:"));
    assert_false(file_holds(f->path, CANARY));
    sf_store_close(open_with_key(f));
    assert_false(file_holds(beside(f, ".backup"), CANARY));
}

static void assert_does_not_open(struct fixture *f, const char *edit_sql, const char *address, const char *name)
{
    struct sf_store *store = open_with_key(f);
    seal(f, store, "ssh_key.a", "private_key", CANARY);
    sf_store_close(store);
    edit(f, edit_sql);
    store = open_reader(f);
    assert_ok(f, sf_store_load_key(store, false, &f->err));
    struct sf_str clear;
    assert_int_equal(unseal(f, store, address, name, &clear), SF_E_IO);
    assert_int_equal(clear.n, 0);
    assert_null(strstr(f->err.message, CANARY));
    sf_store_close(store);
}

static void a_sealed_value_copied_to_another_address_does_not_open(void **state)
{
    assert_does_not_open(*state, "INSERT INTO secret SELECT 'ssh_key.b', name, revision, nonce, sealed FROM secret", "ssh_key.b",
                         "private_key");
}

static void a_sealed_value_under_another_name_does_not_open(void **state)
{
    assert_does_not_open(*state, "UPDATE secret SET name = 'password'", "ssh_key.a", "password");
}

static void a_sealed_value_of_another_revision_does_not_open(void **state)
{
    assert_does_not_open(*state, "UPDATE secret SET revision = revision + 1", "ssh_key.a", "private_key");
}

static void an_altered_sealed_value_does_not_open(void **state)
{
    assert_does_not_open(*state, "UPDATE secret SET sealed = zeroblob(length(sealed))", "ssh_key.a", "private_key");
}

static void a_sealed_value_too_short_to_be_one_does_not_open(void **state)
{
    assert_does_not_open(*state, "UPDATE secret SET sealed = x'00', nonce = x''", "ssh_key.a", "private_key");
}

static void a_sealed_value_of_another_lineage_does_not_open(void **state)
{
    assert_does_not_open(*state, "UPDATE store SET key_check = '', lineage = '11111111-2222-4333-8444-555555555555'", "ssh_key.a",
                         "private_key");
}

static void fingerprints_are_keyed_and_differ_between_stores(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_with_key(f);
    struct sf_str one = sf_store_fingerprint(store, f->arena, SF_STR("hunter2"));
    assert_int_equal(one.n, strlen("hmac:") + 32);
    assert_true(sf_str_eq(one, sf_store_fingerprint(store, f->arena, SF_STR("hunter2"))));
    assert_false(sf_str_eq(one, sf_store_fingerprint(store, f->arena, SF_STR("hunter3"))));
    sf_store_close(store);
    unlink(f->path);
    store = open_with_key(f); /* the same key, another lineage */
    assert_false(sf_str_eq(one, sf_store_fingerprint(store, f->arena, SF_STR("hunter2"))));
    sf_store_close(store);
}

static void without_a_key_there_is_no_fingerprint_and_none_is_made_for_a_plan(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    struct sf_store *store = open_reader(f);
    assert_int_equal(sf_store_load_key(store, false, &f->err), SF_E_ABSENT);
    assert_int_equal(sf_store_fingerprint(store, f->arena, SF_STR("x")).n, 0);
    assert_false(exists(default_key_file(f)));
    sf_store_close(store);
}

static void the_first_key_is_made_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_with_key(f));
    struct stat st;
    assert_int_equal(stat(default_key_file(f), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 65);
    char config[96];
    snprintf(config, sizeof(config), "%s/config/sfstack", f->dir);
    assert_int_equal(stat(config, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(st.st_nlink, 2); /* nothing but the key is left there */
}

static void a_key_that_is_there_is_never_overwritten(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_with_key(f));
    write_key_file(default_key_file(f), KEY_A "\n", 0600);
    sf_store_close(open_with_key(f));
    assert_true(file_holds(default_key_file(f), KEY_A));
    write_key_file(default_key_file(f), "not a key", 0600);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_true(file_holds(default_key_file(f), "not a key"));
    assert_null(strstr(f->err.message, "not a key\"")); /* what it holds is not shown */
    sf_store_close(store);
}

static void a_key_file_that_others_can_read_is_refused(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_with_key(f));
    chmod(default_key_file(f), 0640);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_non_null(strstr(f->err.message, "mode 640"));
    assert_non_null(strstr(f->err.hint, "chmod 600"));
    sf_store_close(store);
}

static void a_key_file_that_is_no_file_is_refused_without_waiting_on_it(void **state)
{
    struct fixture *f = *state;
    char fifo[96];
    snprintf(fifo, sizeof(fifo), "%s/fifo", f->dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    setenv("SF_STATE_KEY_FILE", fifo, 1);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_non_null(strstr(f->err.message, "not a regular file"));
    sf_store_close(store);
}

static void a_named_key_file_that_is_missing_is_an_error_and_not_made(void **state)
{
    struct fixture *f = *state;
    char path[96];
    snprintf(path, sizeof(path), "%s/nokey", f->dir);
    setenv("SF_STATE_KEY_FILE", path, 1);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_non_null(strstr(f->err.message, path));
    assert_false(exists(path));
    sf_store_close(store);
}

static void a_key_in_the_environment_wins_and_a_bad_one_is_not_echoed(void **state)
{
    struct fixture *f = *state;
    setenv("SF_STATE_KEY_FILE", "/nonexistent", 1);
    setenv("SF_STATE_KEY", KEY_A, 1);
    sf_store_close(open_with_key(f));
    assert_false(exists(default_key_file(f)));
    static const char *const bad[] = {"", "0001", KEY_A "00", "zz" KEY_A};
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        setenv("SF_STATE_KEY", bad[i], 1);
        struct sf_store *store = open_writer(f);
        assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
        assert_null(strstr(f->err.message, "0001"));
        sf_store_close(store);
    }
}

static void another_key_than_the_one_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    setenv("SF_STATE_KEY", KEY_A, 1);
    struct sf_store *store = open_with_key(f);
    assert_int_equal(sf_store_fingerprint(store, f->arena, SF_STR("x")).n, 37);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    setenv("SF_STATE_KEY", KEY_B, 1);
    store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_non_null(strstr(f->err.message, "SF_STATE_KEY"));
    assert_int_equal(sf_store_fingerprint(store, f->arena, SF_STR("x")).n, 0);
    sf_store_close(store);
    unsetenv("SF_STATE_KEY"); /* lost: a new one would make every secret look changed */
    store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_false(exists(default_key_file(f)));
    sf_store_close(store);
}

static void a_state_without_secrets_is_bound_to_no_key(void **state)
{
    struct fixture *f = *state;
    setenv("SF_STATE_KEY", KEY_A, 1);
    struct sf_store *store = open_with_key(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    setenv("SF_STATE_KEY", KEY_B, 1);
    sf_store_close(open_with_key(f));
}

static void no_home_is_a_clear_error(void **state)
{
    struct fixture *f = *state;
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_CONFIG);
    assert_non_null(strstr(f->err.message, "HOME"));
    assert_non_null(strstr(f->err.hint, "SF_STATE_KEY_FILE"));
    assert_int_equal(sf_store_load_key(store, false, &f->err), SF_E_ABSENT);
    sf_store_close(store);
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

static void root_makes_no_key_in_somebody_s_home(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can make a directory of another account\n");
        skip();
    }
    char home[96];
    snprintf(home, sizeof(home), "%s/home", f->dir);
    assert_int_equal(mkdir(home, 0755), 0);
    assert_int_equal(chown(home, 65534, 65534), 0);
    setenv("XDG_CONFIG_HOME", home, 1);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_load_key(store, true, &f->err), SF_E_AUTH);
    assert_non_null(strstr(f->err.message, "belongs to 'nobody'"));
    assert_non_null(strstr(f->err.hint, "without sudo"));
    sf_store_close(store);
}

static void sealing_without_a_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_int_equal(sf_store_seal(store, SF_STR("a.b"), "n", SF_STR("x"), &f->err), SF_E_AUTH);
    sf_store_rollback(store);
    sf_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_sealed_value_opens_again_after_a_restart),
        UNIT(what_is_sealed_again_replaces_and_what_is_dropped_is_gone),
        UNIT(no_secret_is_in_any_file_in_the_clear),
        UNIT(a_sealed_value_copied_to_another_address_does_not_open),
        UNIT(a_sealed_value_under_another_name_does_not_open),
        UNIT(a_sealed_value_of_another_revision_does_not_open),
        UNIT(an_altered_sealed_value_does_not_open),
        UNIT(a_sealed_value_too_short_to_be_one_does_not_open),
        UNIT(a_sealed_value_of_another_lineage_does_not_open),
        UNIT(fingerprints_are_keyed_and_differ_between_stores),
        UNIT(without_a_key_there_is_no_fingerprint_and_none_is_made_for_a_plan),
        UNIT(the_first_key_is_made_for_its_owner_alone),
        UNIT(a_key_that_is_there_is_never_overwritten),
        UNIT(a_key_file_that_others_can_read_is_refused),
        UNIT(a_key_file_that_is_no_file_is_refused_without_waiting_on_it),
        UNIT(a_named_key_file_that_is_missing_is_an_error_and_not_made),
        UNIT(a_key_in_the_environment_wins_and_a_bad_one_is_not_echoed),
        UNIT(another_key_than_the_one_in_use_is_refused),
        UNIT(a_state_without_secrets_is_bound_to_no_key),
        UNIT(no_home_is_a_clear_error),
        UNIT(root_makes_no_key_in_somebody_s_home),
        UNIT(sealing_without_a_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
