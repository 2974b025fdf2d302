/* A reader on PostgreSQL: a role with a SCRAM verifier, and the search path of its stars. See reader_maker.h. */
#include "resources/data/reader_maker.h"

#include "engine/core/clock.h"
#include "resources/data/star_maker.h"

/* --- the role --- */

/* Schemas of all stars that this reader reads, as marked in their comments, into its search path. */
static void add_role_path(struct sf_script *script, struct sf_str reader)
{
    struct sf_arena *arena = script->arena;
    sf_script_add(
        script, "set the reader's search path",
        "do $path$\n"
        "declare path text;\n"
        "begin\n" SF_STAR_SCHEMAS_INTO_PATH "  where position(%s in d.description || ' ') > 0;\n"
        "  if path is not null then execute format('alter role %%I set search_path to %%s, public', %s::text, path); end if;\n"
        "end $path$",
        sf_sql_text(arena, sf_str_fmt(arena, "sfstack:reader=%.*s ", SF_ARG(reader))).p, sf_sql_text(arena, reader).p);
}

static enum sf_code make(struct sf_op *op, const struct sf_object *cluster, const struct sf_star_site *site, struct sf_str password,
                         struct sf_script *script, struct sf_err *err)
{
    (void)cluster, (void)err;
    unsigned char salt[16];
    sf_random_bytes(salt, sizeof(salt));

    struct sf_arena *arena = op->arena;
    const char *role = sf_sql_name(arena, site->reader).p, *schema = sf_sql_name(arena, site->schema).p;
    sf_script_add(script, "create the reader role",
                  "do $role$ begin if not exists (select from pg_roles where rolname = %s) then create role %s; end if; end $role$",
                  sf_sql_text(arena, site->reader).p, role);
    sf_script_add(
        script, "set the reader's password",
        "alter role %s with login nosuperuser nocreatedb nocreaterole noreplication nobypassrls connection limit -1 valid "
        "until 'infinity' password %s",
        role, sf_sql_text(arena, sf_reader_scram(arena, password, salt, SF_SCRAM_ITERATIONS)).p);
    sf_script_add(script, "take memberships and settings back",
                  "do $back$ declare other name; who text := %s;\n"
                  "begin\n"
                  "  for other in select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid\n"
                  "    join pg_roles w on w.oid = m.member where w.rolname = who loop\n"
                  "    execute format('revoke %%I from %%I', other, who);\n"
                  "  end loop;\n"
                  "  execute format('alter role %%I in database %%I reset search_path', who, current_database());\n"
                  "  execute format('revoke create on database %%I from public, %%I', current_database(), who);\n"
                  "  if to_regnamespace('public') is not null then\n"
                  "    execute format('revoke create on schema public from public, %%I', who);\n"
                  "  end if;\n"
                  "end $back$",
                  sf_sql_text(arena, site->reader).p);
    sf_script_add(script, "become the owner", "set local role %s", sf_sql_name(arena, site->owner).p);
    sf_script_add(script, "take grants back", "revoke all on all tables in schema %s from %s", schema, role);
    sf_script_add(script, "take grants back", "revoke all on schema %s from %s", schema, role);
    sf_script_add(script, "take grants back", "revoke all on all tables in schema %s from public", schema);
    sf_script_add(script, "take grants back", "revoke all on schema %s from public", schema);
    sf_script_add(script, "grant the schema", "grant usage on schema %s to %s", schema, role);
    sf_script_add(script, "grant select", "grant select on all tables in schema %s to %s", schema, role);
    sf_script_add(script, "stop being the owner", "reset role");
    add_role_path(script, site->reader);
    return SF_OK;
}

static enum sf_code leave(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_used,
                          struct sf_script *script, struct sf_err *err)
{
    struct sf_arena *arena = op->arena;
    struct sf_str mark = sf_sql_text(arena, sf_str_fmt(arena, "sfstack:reader=%.*s ", SF_ARG(reader)));
    const struct sf_value *rows;
    enum sf_code rc = op->site->world->warehouse_query(
        op, cluster,
        sf_str_fmt(arena,
                   "select (select count(*) from pg_description d where d.classoid = 'pg_namespace'::regclass\n"
                   "        and position(%s in d.description || ' ') > 0)::text,\n"
                   "       (select count(*) from pg_roles where rolname = %s)::text",
                   mark.p, sf_sql_text(arena, reader).p),
        &rows, err);
    if (rc)
        return rc;
    *is_used = !sf_str_is(sf_rows_text(rows, 0, 0), "0");
    bool exists = !sf_str_is(sf_rows_text(rows, 0, 1), "0");
    if (*is_used && exists) {
        add_role_path(script, reader);
    } else if (exists) {
        sf_script_add(script, "take the reader's rights", "drop owned by %s", sf_sql_name(arena, reader).p);
        sf_script_add(script, "drop the reader role", "drop role %s", sf_sql_name(arena, reader).p);
    }
    return SF_OK;
}

const struct sf_reader_maker sf_reader_by_postgresql = {.make = make, .leave = leave};
