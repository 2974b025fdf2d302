/* SSH keys as OpenSSH's own ssh-keygen sees them. */
#include "resources/net/sshkey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sf_arena *arena;
static char dir[] = "/tmp/sf-sshkey-XXXXXX";

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return rmdir(dir);
}

/* Output of a command, without its last newline; skips the test when there is no ssh-keygen. */
static struct sf_str output_of(const char *command)
{
    char text[16384];
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(text, 1, sizeof(text), pipe);
    int status = pclose(pipe);
    if (status == 127 << 8) {
        print_message("skipped: there is no ssh-keygen (package openssh-client)\n");
        skip();
    }
    if (status != 0)
        fail_msg("'%s' ended with %d", command, status);
    return sf_str_dup(arena, sf_str_trim((struct sf_str){text, n}));
}

static void check_with_openssh(const struct sf_sshkey *key)
{
    const char *path = sf_str_fmt(arena, "%s/key", dir).p;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fwrite(key->private_key.p, 1, key->private_key.n, file), key->private_key.n);
    assert_int_equal(fclose(file), 0);
    struct sf_str public_key = output_of(sf_str_fmt(arena, "ssh-keygen -y -P '' -f %s", path).p);
    struct sf_str print = output_of(sf_str_fmt(arena, "ssh-keygen -l -f %s", path).p);
    unlink(path);
    /* PEM holds no comment */
    size_t n = public_key.n < key->public_key.n ? public_key.n : key->public_key.n;
    assert_true(n > 60);
    assert_memory_equal(public_key.p, key->public_key.p, n);
    assert_true(sf_str_find(print, key->fingerprint) != SIZE_MAX);
    assert_true(sf_str_starts(print, sf_str_fmt(arena, "%d ", key->bits)));
}

static void openssh_reads_an_ed25519_key(void **state)
{
    (void)state;
    struct sf_sshkey key;
    struct sf_err err;
    /* padding depends on the length of the comment */
    static const char *const comments[] = {"", "a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "stack-key with blanks"};
    for (size_t i = 0; i < SF_COUNT(comments); i++) {
        assert_int_equal(sf_sshkey_generate(arena, SF_STR("ed25519"), 256, SF_SSHKEY_OPENSSH, sf_str_of(comments[i]), &key, &err),
                         SF_OK);
        assert_true(sf_str_ends(key.public_key, sf_str_of(comments[i])));
        check_with_openssh(&key);
    }
}

static void openssh_reads_rsa_keys_in_both_forms(void **state)
{
    (void)state;
    struct sf_sshkey key;
    struct sf_err err;
    assert_int_equal(sf_sshkey_generate(arena, SF_STR("rsa"), 2048, SF_SSHKEY_OPENSSH, SF_STR("c"), &key, &err), SF_OK);
    assert_true(sf_str_starts(key.private_key, SF_STR("-----BEGIN OPENSSH PRIVATE KEY-----\n")));
    check_with_openssh(&key);
    assert_int_equal(sf_sshkey_generate(arena, SF_STR("rsa"), 4096, SF_SSHKEY_PEM, SF_STR("c"), &key, &err), SF_OK);
    assert_true(sf_str_starts(key.private_key, SF_STR("-----BEGIN RSA PRIVATE KEY-----\n")));
    check_with_openssh(&key);
}

static void a_public_key_is_recognized_with_its_fingerprint(void **state)
{
    (void)state;
    struct sf_sshkey made, parsed;
    struct sf_err err;
    assert_int_equal(sf_sshkey_generate(arena, SF_STR("ed25519"), 256, SF_SSHKEY_OPENSSH, SF_STR("me@home"), &made, &err), SF_OK);
    struct sf_str line = sf_str_fmt(arena, "  %.*s\n", SF_ARG(made.public_key));
    assert_int_equal(sf_sshkey_parse_public(arena, line, &parsed, &err), SF_OK);
    assert_string_equal(parsed.algorithm, "ed25519");
    assert_true(sf_str_eq(parsed.public_key, made.public_key));
    assert_true(sf_str_eq(parsed.fingerprint, made.fingerprint));
    assert_true(sf_str_is(parsed.comment, "me@home"));
    assert_int_equal(parsed.private_key.n, 0);
}

static void an_ecdsa_key_of_openssh_can_be_imported(void **state)
{
    (void)state;
    struct sf_sshkey parsed;
    struct sf_err err;
    const char *path = sf_str_fmt(arena, "%s/ec", dir).p;
    output_of(sf_str_fmt(arena, "ssh-keygen -q -t ecdsa -b 384 -N '' -C x -f %s", path).p);
    struct sf_str line = output_of(sf_str_fmt(arena, "cat %s.pub", path).p);
    unlink(path);
    unlink(sf_str_fmt(arena, "%s.pub", path).p);
    assert_int_equal(sf_sshkey_parse_public(arena, line, &parsed, &err), SF_OK);
    assert_string_equal(parsed.algorithm, "ecdsa");
    assert_int_equal(parsed.bits, 384);
}

static void what_is_no_public_key_is_refused_and_not_repeated(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ0MuVVwWhxXDiJqmAmRFLnOtlSmIHXOTOzfGVEjRLcp x",     /* of another type */
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0MuVVwWhxXDiJqmAmRFLnOtlSmIHXOTOzfGVEjRA== x", /* too short */
        "ssh-dss AAAAB3NzaC1kc3MAAAAB x",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0MuVVwWhxXDiJqmAmRFLnOtlSmIHXOTOzfGVEjRLcp x\nssh-rsa y",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----",
    };
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        struct sf_sshkey key;
        struct sf_err err = {0};
        if (sf_sshkey_parse_public(arena, sf_str_of(bad[i]), &key, &err) != SF_E_CONFIG)
            fail_msg("taken: %s", bad[i]);
        assert_null(strstr(err.message, "b3Blbn"));
        assert_true(err.hint[0]);
    }
}

static void wishes_that_cannot_be_met_are_refused(void **state)
{
    (void)state;
    struct sf_err err;
    assert_int_equal(sf_sshkey_check(SF_STR("rsa"), 1024, SF_SSHKEY_PEM, SF_STR("c"), &err), SF_E_CONFIG);
    assert_int_equal(sf_sshkey_check(SF_STR("ed25519"), 256, SF_SSHKEY_PEM, SF_STR("c"), &err), SF_E_CONFIG);
    assert_int_equal(sf_sshkey_check(SF_STR("dsa"), 1024, SF_SSHKEY_OPENSSH, SF_STR("c"), &err), SF_E_CONFIG);
    assert_int_equal(sf_sshkey_check(SF_STR("ed25519"), 256, SF_SSHKEY_OPENSSH, SF_STR("a\nssh-rsa x"), &err), SF_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssh_reads_an_ed25519_key),
        cmocka_unit_test(openssh_reads_rsa_keys_in_both_forms),
        cmocka_unit_test(a_public_key_is_recognized_with_its_fingerprint),
        cmocka_unit_test(an_ecdsa_key_of_openssh_can_be_imported),
        cmocka_unit_test(what_is_no_public_key_is_refused_and_not_repeated),
        cmocka_unit_test(wishes_that_cannot_be_met_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
