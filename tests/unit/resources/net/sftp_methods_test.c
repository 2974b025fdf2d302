/* Which SSH algorithms are spoken: what libssh2 has, less what is broken. */
#include "resources/net/sftp_methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sound_algorithms_are_spoken_and_broken_ones_are_not(void **state)
{
    (void)state;
    assert_true(sf_ssh_speaks(SF_SSH_MAC, SF_STR("hmac-sha2-256")));
    assert_true(sf_ssh_speaks(SF_SSH_CIPHER, SF_STR("aes256-ctr")));
    assert_true(sf_ssh_speaks(SF_SSH_EXCHANGE, SF_STR("curve25519-sha256")));
    assert_true(sf_ssh_speaks(SF_SSH_HOST_KEY, SF_STR("ssh-ed25519")));
    /* libssh2 has these two as well */
    assert_false(sf_ssh_speaks(SF_SSH_MAC, SF_STR("hmac-sha1")));
    assert_false(sf_ssh_speaks(SF_SSH_CIPHER, SF_STR("aes128-cbc")));
    assert_false(sf_ssh_speaks(SF_SSH_MAC, SF_STR("hmac-sha2")));
    assert_false(sf_ssh_speaks(SF_SSH_MAC, SF_STR_NONE));
}

static void one_in_common_is_enough(void **state)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *items[] = {sf_value_str(arena, SF_STR("umac-64@openssh.com")),
                                      sf_value_str(arena, SF_STR("hmac-sha2-512"))};
    (void)state;
    assert_true(sf_ssh_shares(SF_SSH_MAC, sf_value_list(arena, items, 2)));
    assert_false(sf_ssh_shares(SF_SSH_MAC, sf_value_list(arena, items, 1)));
    assert_false(sf_ssh_shares(SF_SSH_MAC, sf_value_list(arena, NULL, 0)));
    assert_false(sf_ssh_shares(SF_SSH_MAC, NULL));
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_algorithms_are_spoken_and_broken_ones_are_not),
        cmocka_unit_test(one_in_common_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
