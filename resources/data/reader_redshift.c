/* A reader on Redshift: a database user with an MD5 password, grants, and a search path of his own. See reader_maker.h.
 *
 * No statement there can look before it acts, so the catalog is asked first. The password goes as PostgreSQL's MD5 of it and the
 * user's name: with the SHA-256 that Redshift offers too, libpq and so psql cannot log in. It is 32 random characters, which no
 * list of hashes has. A star's marks are those of star_redshift.c.
 *
 * Sources: Database Developer Guide, "CREATE USER", "ALTER USER", "REVOKE", "DROP USER", "PG_USER". */
#include "resources/data/reader_maker.h"

#include "attr/cluster.h"
#include "resources/data/star_maker.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* Columns of what is asked. */
enum { C_KIND, C_NAME, C_TEXT };

struct star_mark {
    struct sf_str schema;
    int64_t order;
};

struct facts {
    bool exists, is_super, has_end, has_public;
    struct star_mark *stars; /* those that name this reader, in the order of their stack files */
    size_t n_stars;
    struct sf_str *readable; /* other schemas of ours that the reader may use */
    size_t n_readable;
};

static int by_order(const void *a, const void *b)
{
    const struct star_mark *one = a, *two = b;
    if (one->order != two->order)
        return one->order < two->order ? -1 : 1;
    return sf_str_cmp(one->schema, two->schema);
}

static int64_t order_of(struct sf_str marks)
{
    struct sf_str word = SF_STR("sfstack:order=");
    size_t at = sf_str_find(marks, word), end;
    int64_t order = 0;
    if (at == SIZE_MAX)
        return 0;
    struct sf_str rest = sf_str_slice(marks, at + word.n, marks.n);
    end = sf_str_find(rest, SF_STR(" "));
    return sf_str_int64(sf_str_slice(rest, 0, end == SIZE_MAX ? rest.n : end), &order) ? order : 0;
}

static void take_star(struct sf_arena *arena, struct facts *facts, struct sf_str schema, struct sf_str marks, struct sf_str reader)
{
    struct sf_str suffix = SF_STR("_partitions"), mark = sf_str_fmt(arena, "sfstack:reader=%.*s ", SF_ARG(reader));
    if (!sf_str_ends(schema, suffix))
        return;
    schema = sf_str_slice(schema, 0, schema.n - suffix.n);
    if (sf_str_find(sf_str_fmt(arena, "%.*s ", SF_ARG(marks)), mark) != SIZE_MAX)
        facts->stars[facts->n_stars++] = (struct star_mark){schema, order_of(marks)};
    else
        facts->readable[facts->n_readable++] = schema;
}

static enum sf_code ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct facts *facts,
                        struct sf_err *err)
{
    struct sf_arena *arena = op->arena;
    const struct sf_value *rows;
    const char *name = sf_sql_text(arena, reader).p;
    struct sf_str sql = sf_str_fmt(arena,
                                   "select cast('user' as varchar) as kind, cast(case when u.usesuper then 'super' else '' end as "
                                   "varchar) as name,\n"
                                   "  cast(case when u.valuntil is null then '' else 'ends' end as varchar(8000)) as text\n"
                                   "from pg_user u where u.usename = %s\n"
                                   "union all\nselect 'public', '', '' from pg_namespace n where n.nspname = 'public'\n"
                                   "union all\nselect 'star', cast(m.schema_name as varchar), cast(m.marks as varchar(8000)) from "
                                   "(%s) m",
                                   name, sf_star_marks_redshift().p);
    enum sf_code rc = op->site->world->warehouse_query(op, cluster, sql, &rows, err);
    if (rc)
        return rc;
    size_t n = sf_rows_count(rows);
    *facts = (struct facts){.stars = SF_NEW_ARRAY(arena, n + 1, struct star_mark),
                            .readable = SF_NEW_ARRAY(arena, n + 1, struct sf_str)};
    for (size_t i = 0; i < n; i++) {
        struct sf_str kind = sf_rows_text(rows, i, C_KIND);
        if (sf_str_is(kind, "user")) {
            facts->exists = true;
            facts->is_super = sf_rows_text(rows, i, C_NAME).n > 0;
            facts->has_end = sf_rows_text(rows, i, C_TEXT).n > 0;
        } else if (sf_str_is(kind, "public")) {
            facts->has_public = true;
        } else {
            take_star(arena, facts, sf_rows_text(rows, i, C_NAME), sf_rows_text(rows, i, C_TEXT), reader);
        }
    }
    qsort(facts->stars, facts->n_stars, sizeof *facts->stars, by_order);
    return SF_OK;
}

struct sf_str sf_reader_md5(struct sf_arena *arena, struct sf_str password, struct sf_str reader)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    struct sf_str text = sf_str_fmt(arena, "%.*s%.*s", SF_ARG(password), SF_ARG(reader));
    bool is_made = EVP_Digest(text.p, text.n, digest, &n, EVP_md5(), NULL) == 1 && n == 16;
    struct sf_buf hex = SF_BUF(64);
    sf_buf_addz(&hex, "md5");
    for (unsigned int i = 0; is_made && i < n; i++)
        sf_buf_addf(&hex, "%02x", digest[i]);
    struct sf_str out = is_made ? sf_str_dup(arena, sf_buf_str(&hex)) : SF_STR_NONE;
    sf_buf_free(&hex);
    OPENSSL_cleanse((char *)(uintptr_t)text.p, text.n);
    return out;
}

static void set_path(struct sf_script *script, struct sf_str reader, const struct facts *facts)
{
    struct sf_buf path = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < facts->n_stars; i++)
        sf_buf_addf(&path, "%s, ", sf_sql_name(script->arena, facts->stars[i].schema).p);
    if (path.n > 0)
        sf_script_add(script, "set the reader's search path", "alter user %s set search_path to %spublic",
                      sf_sql_name(script->arena, reader).p, path.p);
    sf_buf_free(&path);
}

static void take_rights(struct sf_script *script, struct sf_str schema, const char *from)
{
    const char *name = sf_sql_name(script->arena, schema).p;
    sf_script_add(script, "take grants back", "revoke all on all tables in schema %s from %s", name, from);
    sf_script_add(script, "take grants back", "revoke all on schema %s from %s", name, from);
}

static enum sf_code make(struct sf_op *op, const struct sf_object *cluster, const struct sf_star_site *site, struct sf_str password,
                         struct sf_script *script, struct sf_err *err)
{
    struct sf_arena *arena = op->arena;
    struct facts facts;
    enum sf_code rc = ask(op, cluster, site->reader, &facts, err);
    if (rc)
        return rc;
    const char *user = sf_sql_name(arena, site->reader).p, *schema = sf_sql_name(arena, site->schema).p;
    struct sf_str verifier = sf_reader_md5(arena, password, site->reader);
    if (!verifier.n)
        return sf_fail(err, SF_E_CONFIG, "this machine's OpenSSL has no MD5, which a reader's password on Redshift needs");
    sf_script_add(script, "set the reader's password", "%s user %s%s password %s%s", facts.exists ? "alter" : "create", user,
                  facts.is_super ? " nocreateuser" : "", sf_sql_text(arena, verifier).p,
                  facts.has_end ? " nocreatedb valid until 'infinity'" : " nocreatedb");
    sf_script_add(script, "take rights back", "revoke create on database %s from public, %s",
                  sf_sql_name(arena, sf_map_str(cluster->attrs, CLUSTER_DATABASE)).p, user);
    if (facts.has_public)
        sf_script_add(script, "take rights back", "revoke create on schema public from public, %s", user);
    take_rights(script, site->schema, user);
    take_rights(script, site->schema, "public");
    sf_script_add(script, "grant the schema", "grant usage on schema %s to %s", schema, user);
    sf_script_add(script, "grant select", "grant select on all tables in schema %s to %s", schema, user);
    set_path(script, site->reader, &facts);
    return SF_OK;
}

static enum sf_code leave(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_used,
                          struct sf_script *script, struct sf_err *err)
{
    struct facts facts;
    const char *user = sf_sql_name(op->arena, reader).p;
    enum sf_code rc = ask(op, cluster, reader, &facts, err);
    *is_used = !rc && facts.n_stars > 0;
    if (rc || !facts.exists)
        return rc;
    /* a star that had this reader before keeps his grants, and a user with grants cannot be dropped */
    for (size_t i = 0; i < facts.n_readable; i++)
        take_rights(script, facts.readable[i], user);
    if (*is_used) {
        set_path(script, reader, &facts);
        return SF_OK;
    }
    sf_script_add(script, "take the reader's rights", "revoke all on database %s from %s",
                  sf_sql_name(op->arena, sf_map_str(cluster->attrs, CLUSTER_DATABASE)).p, user);
    sf_script_add(script, "drop the reader", "drop user %s", user);
    return SF_OK;
}

const struct sf_reader_maker sf_reader_by_redshift = {.make = make, .leave = leave};
