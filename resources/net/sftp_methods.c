/* See sftp_methods.h. */
#include "resources/net/sftp_methods.h"

#include <libssh2.h>

/* 128 bits are enough, and faster than libssh2's first choice; no cipher or MAC that is broken. Encrypt-then-MAC is in libssh2 from
 * 1.11 on. */
static const char ciphers[] = "aes128-ctr,aes192-ctr,aes256-ctr",
                  macs[] = "hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";

static const struct {
    int method;
    const char *offer;
} parts[] = {
    [SF_SSH_EXCHANGE] = {LIBSSH2_METHOD_KEX, NULL},
    [SF_SSH_CIPHER] = {LIBSSH2_METHOD_CRYPT_CS, ciphers},
    [SF_SSH_MAC] = {LIBSSH2_METHOD_MAC_CS, macs},
    [SF_SSH_HOST_KEY] = {LIBSSH2_METHOD_HOSTKEY, NULL},
};

const char *sf_ssh_offer(enum sf_ssh_part part)
{
    return parts[part].offer;
}

static bool is_offered(enum sf_ssh_part part, struct sf_str name)
{
    struct sf_str rest = sf_str_of(parts[part].offer);
    while (rest.n) {
        size_t end = sf_str_find(rest, SF_STR(","));
        if (sf_str_eq(sf_str_slice(rest, 0, end), name))
            return true;
        rest = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, end + 1, rest.n);
    }
    return !parts[part].offer;
}

bool sf_ssh_speaks(enum sf_ssh_part part, struct sf_str name)
{
    const char **names = NULL;
    LIBSSH2_SESSION *session = libssh2_session_init();
    if (!session)
        sf_out_of_memory();
    int n = libssh2_session_supported_algs(session, parts[part].method, &names);
    bool is_known = false;
    for (int i = 0; i < n; i++)
        is_known |= sf_str_is(name, names[i]);
    if (n > 0)
        libssh2_free(session, names);
    libssh2_session_free(session);
    return is_known && is_offered(part, name);
}

bool sf_ssh_shares(enum sf_ssh_part part, const struct sf_value *names)
{
    for (size_t i = 0; names && names->type == SF_V_LIST && i < names->list.n; i++)
        if (names->list.items[i]->type == SF_V_STRING && sf_ssh_speaks(part, names->list.items[i]->s))
            return true;
    return false;
}

const char *sf_ssh_version(void)
{
    return libssh2_version(0);
}
