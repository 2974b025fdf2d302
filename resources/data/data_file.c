/* See data_file.h. */
#include "resources/data/data_file.h"

#include "engine/core/clock.h"
#include "engine/lang/yaml.h"

#include <errno.h>
#include <stdio.h>

static bool is_plain_name(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '/'))
            return false;
    }
    return name.n > 0 && name.p[0] != '/';
}

static enum sf_code resolve(struct sf_op *op, const char *what, struct sf_str name, const char **path, struct sf_err *err)
{
    struct sf_str builtin = SF_STR("builtin:");
    if (sf_str_starts(name, builtin)) {
        struct sf_str rest = sf_str_slice(name, builtin.n, name.n);
        if (!is_plain_name(rest)) {
            sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of a built-in %s", SF_ARG(name), what);
            sf_hint(err, "names look like builtin:sf/star: letters, digits, - and _, folders parted by /");
            return SF_E_CONFIG;
        }
        *path = sf_str_fmt(op->arena, "%s/schemas/data/%.*s.yaml", op->site->share_dir, SF_ARG(rest)).p;
        return SF_OK;
    }
    if (name.n == 0 || memchr(name.p, 0, name.n))
        return sf_fail(err, SF_E_CONFIG, "the name of a %s is empty or holds a NUL byte", what);
    *path =
        name.p[0] == '/' ? sf_str_dup(op->arena, name).p : sf_str_fmt(op->arena, "%s/%.*s", op->site->stack_dir, SF_ARG(name)).p;
    return SF_OK;
}

enum sf_code sf_data_file_read(struct sf_op *op, const char *what, struct sf_str name, const char **path, struct sf_str *text,
                               struct sf_err *err)
{
    enum sf_code rc = resolve(op, what, name, path, err);
    if (rc)
        return rc;
    FILE *file = fopen(*path, "re");
    if (!file) {
        rc = sf_fail_errno(err, errno == ENOENT ? SF_E_CONFIG : SF_E_IO, "cannot open %s '%s'", what, *path);
        if (rc == SF_E_CONFIG)
            sf_hint(err, "builtin:NAME is installed with the program; any other name is a path beside the stack file");
        return rc;
    }
    struct sf_buf bytes = SF_BUF(SF_MAX_YAML_BYTES);
    char chunk[16384];
    for (size_t n; !bytes.overflow && (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        sf_buf_add(&bytes, (struct sf_str){chunk, n});
    if (ferror(file))
        rc = sf_fail_errno(err, SF_E_IO, "cannot read %s '%s'", what, *path);
    else if (bytes.overflow)
        rc = sf_fail(err, SF_E_CONFIG, "%s '%s' is larger than %d bytes", what, *path, SF_MAX_YAML_BYTES);
    fclose(file);
    *text = sf_str_dup(op->arena, sf_buf_str(&bytes));
    sf_buf_free(&bytes);
    return rc;
}

enum sf_code sf_data_file_parse(struct sf_op *op, const char *what, const char *path, struct sf_str text,
                                const struct sf_value **root, struct sf_err *err)
{
    struct sf_diags *diags = sf_diags_new(op->arena);
    enum sf_code rc = sf_yaml_parse(op->arena, text, path, diags, root);
    if (!rc && (*root)->type != SF_V_MAP)
        return sf_fail(err, SF_E_CONFIG, "%s '%s' is not a map", what, path);
    if (!rc)
        return SF_OK;
    if (diags->n == 0)
        return sf_fail(err, rc, "%s '%s' is not readable as YAML", what, path);
    const struct sf_diag *first = &diags->list[0];
    sf_fail(err, rc, "%s '%s', line %u: %.*s", what, path, first->where.line, SF_ARG(first->message));
    if (err) {
        memcpy(err->id, first->id, sizeof(err->id));
        err->where = first->where;
    }
    if (first->help.n > 0)
        sf_hint(err, "%.*s", SF_ARG(first->help));
    return rc;
}

struct sf_str sf_data_digest16(struct sf_arena *arena, struct sf_str bytes)
{
    return sf_str_slice(sf_sha256_hex(arena, bytes), 0, 16);
}
