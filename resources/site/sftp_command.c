/* See sftp_command.h. */
#include "resources/site/sftp_command.h"

#include "attr/sftp_server.h"
#include "attr/sftp_user.h"
#include "attr/ssh_key.h"
#include "resources/site/known_hosts.h"

static void add_quoted(struct sf_buf *buf, struct sf_str word)
{
    bool is_plain = word.n > 0;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        is_plain =
            is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_@%+=:,./-", c));
    }
    if (is_plain) {
        sf_buf_add(buf, word);
        return;
    }
    sf_buf_addc(buf, '\'');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '\'')
            sf_buf_addz(buf, "'\\''");
        else
            sf_buf_addc(buf, word.p[i]);
    }
    sf_buf_addc(buf, '\'');
}

/* A path as ssh reads it: it expands %-words, and takes a blank in a file name only inside double quotes. */
static struct sf_str ssh_path(struct sf_op *op, struct sf_str path, bool is_option)
{
    struct sf_buf buf = SF_BUF(4096);
    bool is_quoted = is_option && sf_str_find(path, SF_STR(" ")) != SIZE_MAX;
    if (is_quoted)
        sf_buf_addc(&buf, '"');
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '%')
            sf_buf_addc(&buf, '%');
        sf_buf_addc(&buf, path.p[i]);
    }
    if (is_quoted)
        sf_buf_addc(&buf, '"');
    struct sf_str text = sf_str_dup(op->arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static const struct sf_value *known(const struct sf_object *object, const char *attr, enum sf_value_type type)
{
    const struct sf_value *v = object ? sf_map_getz(object->attrs, attr) : NULL;
    return v && v->type == type ? v : NULL;
}

/* sftp takes options before the host only; so that more may be written at the end, a shell puts them there. */
static struct sf_str command_text(struct sf_op *op, const struct sf_object *server, struct sf_str key_file, int64_t port,
                                  struct sf_str user, struct sf_str host)
{
    enum { MAX_COMMAND_BYTES = 16384 };
    struct sf_buf script = SF_BUF(MAX_COMMAND_BYTES), line = SF_BUF(MAX_COMMAND_BYTES);
    sf_buf_addz(&script, "exec sftp -i ");
    add_quoted(&script, ssh_path(op, key_file, false));
    sf_buf_addf(&script, " -P %lld -o ", (long long)port);
    add_quoted(&script,
               sf_str_fmt(op->arena, "UserKnownHostsFile=%.*s", SF_ARG(ssh_path(op, sf_str_of(sf_known_hosts_path(op)), true))));
    /* a key that the service made itself is known by its fingerprint only: the first connection writes it down */
    bool is_pinned = known(server, SFTP_SERVER_HOST_KEYS, SF_V_LIST) != NULL;
    sf_buf_addf(&script, " -o StrictHostKeyChecking=%s -o IdentitiesOnly=yes -o BatchMode=yes \"$@\" ",
                is_pinned ? "yes" : "accept-new");
    add_quoted(&script, sf_str_fmt(op->arena, "%.*s@%.*s", SF_ARG(user), SF_ARG(host)));
    sf_buf_addz(&line, "sh -c ");
    add_quoted(&line, sf_buf_str(&script));
    sf_buf_addz(&line, " sftp");
    struct sf_str text = sf_str_dup(op->arena, sf_buf_str(&line));
    sf_buf_free(&script);
    sf_buf_free(&line);
    return text;
}

void sf_sftp_command_derive(struct sf_op *op, struct sf_value *want)
{
    const struct sf_object *server = sf_op_ref(op, NULL, SFTP_USER_SERVER, 0);
    const struct sf_value *port = known(server, SFTP_SERVER_PORT, SF_V_INT), *host = known(server, SFTP_SERVER_HOST, SF_V_STRING);
    const struct sf_value *later = known(server, SFTP_SERVER_HOST, SF_V_UNKNOWN);
    const struct sf_value *name = sf_map_getz(want, SFTP_USER_NAME), *file = NULL;
    const struct sf_object *key;
    for (size_t i = 0; !file && (key = sf_op_ref(op, NULL, SFTP_USER_KEYS, i)) != NULL; i++)
        file = known(key, SSH_KEY_PRIVATE_KEY_FILE, SF_V_STRING);
    if (!file || !name || name->type != SF_V_STRING)
        return;
    if (port && host)
        sf_map_set_str(op->arena, want, SFTP_USER_SFTP_COMMAND, command_text(op, server, file->s, port->i, name->s, host->s));
    else if (later) /* a server that moves takes the command with it */
        sf_map_set(op->arena, want, sf_str_of(SFTP_USER_SFTP_COMMAND), later);
}
