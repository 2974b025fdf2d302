/* See sftp_policy.h. What a policy offers is what DescribeSecurityPolicy says; which host key and login algorithms it allows is
 * told by no API, only by the user guide ("Security policies for AWS Transfer Family servers"): rsa keys with SHA-2 by every
 * policy, `ssh-rsa`, which is all that libssh2 before 1.11 has for them, by the ones below. */
#include "resources/aws/sftp_policy.h"

#include "attr/sftp_server.h"
#include "attr/ssh_key.h"
#include "resources/aws/transfer.h"
#include "resources/net/sftp_methods.h"

static const char *const with_ssh_rsa[] = {
    "TransferSecurityPolicy-2018-11",      "TransferSecurityPolicy-Restricted-2018-11",
    "TransferSecurityPolicy-2020-06",      "TransferSecurityPolicy-Restricted-2020-06",
    "TransferSecurityPolicy-FIPS-2020-06", "TransferSecurityPolicy-FIPS-2023-05",
    "TransferSecurityPolicy-FIPS-2024-01",
};

static enum sf_code describe(struct sf_op *op, struct sf_str name, const struct sf_value **policy, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, params, "SecurityPolicyName", name);
    enum sf_code rc = sf_transfer_call(op, SF_AWS_READ, "DescribeSecurityPolicy", params, SF_STR_NONE, &reply, err);
    *policy = rc ? NULL : sf_aws_at(reply, "SecurityPolicy");
    return rc;
}

static enum sf_code fail(const struct sf_object *server, struct sf_str name, const char *what, const char *way, struct sf_err *err)
{
    sf_fail(err, SF_E_CONFIG, "this program's SSH (libssh2 %s) cannot talk to '%.*s': with security policy '%.*s' %s",
            sf_ssh_version(), SF_ARG(server->address), SF_ARG(name), what);
    sf_hint(err, "%s, or deliver without SFTP: `via: bucket` on the upload", way);
    sf_transfer_point_at(sf_map_getz(server->attrs, SFTP_SERVER_SECURITY_POLICY), err);
    return SF_E_CONFIG;
}

static enum sf_code check_algorithms(const struct sf_object *server, struct sf_str name, const struct sf_value *policy,
                                     struct sf_err *err)
{
    static const struct {
        const char *list;
        enum sf_ssh_part part;
        const char *lack;
    } parts[] = {{"SshKexs", SF_SSH_EXCHANGE, "they share no key exchange"},
                 {"SshCiphers", SF_SSH_CIPHER, "they share no cipher"},
                 {"SshMacs", SF_SSH_MAC, "they share no MAC (the policy has encrypt-then-MAC only, libssh2 from 1.11 on)"}};
    for (size_t i = 0; i < SF_COUNT(parts); i++) {
        const struct sf_value *theirs = sf_aws_at(policy, parts[i].list);
        if (theirs && theirs->type == SF_V_LIST && theirs->list.n && !sf_ssh_shares(parts[i].part, theirs))
            return fail(server, name, parts[i].lack, "write `aws: {security_policy: TransferSecurityPolicy-2022-03}` there", err);
    }
    return SF_OK;
}

static bool is_rsa(const struct sf_object *key)
{
    return sf_str_is(sf_map_str(key->attrs, SSH_KEY_ALGORITHM), "rsa");
}

static bool takes_ssh_rsa(struct sf_str policy)
{
    for (size_t i = 0; i < SF_COUNT(with_ssh_rsa); i++)
        if (sf_str_is(policy, with_ssh_rsa[i]))
            return true;
    return false;
}

static enum sf_code check_keys(struct sf_op *op, const struct sf_object *server, const struct sf_object *key, struct sf_str name,
                               struct sf_err *err)
{
    const struct sf_value *named = sf_map_getz(server->attrs, SFTP_SERVER_HOST_KEYS);
    const struct sf_object *host_key;
    size_t n = 0, n_rsa = 0;
    if (sf_ssh_speaks(SF_SSH_HOST_KEY, SF_STR("rsa-sha2-256")) || takes_ssh_rsa(name))
        return SF_OK;
    for (; (host_key = sf_op_ref(op, server, SFTP_SERVER_HOST_KEYS, n)) != NULL; n++)
        n_rsa += is_rsa(host_key);
    if (!named || named->type != SF_V_LIST)
        sf_op_warn(op,
                   "'%.*s' makes its own host key, and an rsa key could not be checked by libssh2 %s under '%.*s': better name an "
                   "ed25519 ssh_key in its `host_keys`",
                   SF_ARG(server->address), sf_ssh_version(), SF_ARG(name));
    if (n && n == n_rsa)
        return fail(server, name, "its rsa host key would have to sign with SHA-2, which libssh2 can check from 1.11 on",
                    "give it an ed25519 host key", err);
    if (key && is_rsa(key))
        return fail(server, name, "an rsa key must sign the login with SHA-2, which libssh2 can from 1.11 on",
                    "log in with an ed25519 key", err);
    return SF_OK;
}

enum sf_code sf_aws_sftp_check(struct sf_op *op, const struct sf_object *server, const struct sf_object *key, struct sf_err *err)
{
    struct sf_str name = sf_map_str(server->attrs, SFTP_SERVER_SECURITY_POLICY);
    const struct sf_value *policy;
    if (!name.n)
        return SF_OK;
    enum sf_code rc = describe(op, name, &policy, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_CONFIG, "there is no security policy '%.*s', which '%.*s' names", SF_ARG(name), SF_ARG(server->address));
        sf_hint(err, "list them: aws transfer list-security-policies");
        sf_transfer_point_at(sf_map_getz(server->attrs, SFTP_SERVER_SECURITY_POLICY), err);
        return SF_E_CONFIG;
    }
    if (rc == SF_E_DENIED) { /* then the handshake will tell */
        sf_op_warn(op, "whether this program can talk to '%.*s' is not known beforehand: %s", SF_ARG(server->address),
                   err ? err->message : "");
        return SF_OK;
    }
    if (rc == SF_OK)
        rc = check_algorithms(server, name, policy, err);
    return rc ? rc : check_keys(op, server, key, name, err);
}
