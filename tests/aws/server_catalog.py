"""What Redshift's SQL has and PostgreSQL's lacks: functions and system views, for the template of all databases.

They lie in pg_catalog, as on Redshift, so that nothing of theirs shows in a user's schemas. Columns of the views: the Database
Developer Guide's pages of SYS_LOAD_ERROR_DETAIL and STL_LOAD_ERRORS.
"""

SETUP = (
    "create schema sf_internal",
    "grant usage on schema sf_internal to public",
    "grant create on schema public to public",
    """create table sf_internal.load_errors (query_id int, table_id int, start_time timestamp, transaction_id int, session_id int,
       database_name text, file_name text, line_number bigint, column_name text, column_type text, column_length text,
       position int, error_code int, error_message text, raw_line text, raw_field_value text, user_id int)""",
    "grant select on sf_internal.load_errors to public",
    """create view pg_catalog.sys_load_error_detail as select user_id, query_id::bigint, table_id, start_time, transaction_id::bigint,
       session_id, database_name::char(64), file_name::char(256), line_number, column_name::char(127), column_type::char(10),
       column_length::char(10), position, error_code, error_message::char(512) from sf_internal.load_errors""",
    """create view pg_catalog.stl_load_errors as select user_id as userid, 0 as slice, table_id as tbl, start_time as starttime, session_id
       as session, query_id as query, file_name::char(256) as filename, line_number, column_name::char(127) as colname,
       column_type::char(10) as type, column_length::char(10) as col_length, position, raw_line::char(1024),
       raw_field_value::char(1024), error_code as err_code, error_message::char(100) as err_reason, false as is_partial,
       0 as start_offset from sf_internal.load_errors""",
    "grant select on pg_catalog.sys_load_error_detail, pg_catalog.stl_load_errors to public",
    """create function pg_catalog.sha2(value text, bits int) returns varchar immutable strict language plpgsql as $$ begin
       return case bits when 0 then encode(sha256(convert_to(value, 'UTF8')), 'hex') when 224 then encode(sha224(convert_to(value, 'UTF8')), 'hex')
       when 256 then encode(sha256(convert_to(value, 'UTF8')), 'hex') when 384 then encode(sha384(convert_to(value, 'UTF8')), 'hex')
       when 512 then encode(sha512(convert_to(value, 'UTF8')), 'hex') end; end $$""",
    """create function pg_catalog.strtol(value text, base int) returns bigint immutable strict language plpgsql as $$
       declare total numeric := 0; digit int; rest text := lower(value); is_negative boolean := false; begin
       if rest like '-%' then is_negative := true; rest := substr(rest, 2); end if;
       if base = 16 and rest like '0x%' then rest := substr(rest, 3); end if;
       if base < 2 or base > 36 or rest = '' then raise exception 'The input % is not valid to be converted to base %', value, base; end if;
       for i in 1 .. length(rest) loop
         digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(rest, i, 1)) - 1;
         if digit < 0 or digit >= base then
           raise exception 'The input % is not valid to be converted to base %', value, base; end if;
         total := total * base + digit;
       end loop;
       if is_negative then total := -total; end if;
       if total > 9223372036854775807 or total < -9223372036854775808 then
         raise exception 'The input % is out of range of bigint', value; end if;
       return total; end $$""",
    # server_dialect.py puts in the value: the session knows it, and a failed transaction must not forget it
    "create function pg_catalog.pg_last_copy_id(value int) returns int immutable language sql as $$ select value $$",
    "create function pg_catalog.pg_last_copy_count(value int) returns bigint immutable language sql as $$ select value::bigint $$",
    "create function pg_catalog.version(value text) returns varchar immutable language sql as $$ select value::varchar $$",
    "create function pg_catalog.getdate() returns timestamp stable language sql as $$ select date_trunc('second', now())::timestamp $$",
    "create extension pgcrypto schema sf_internal",
    "create function pg_catalog.func_sha1(value text) returns varchar immutable strict language sql as "
    "$$ select encode(sf_internal.digest(convert_to(value, 'UTF8'), 'sha1'), 'hex') $$",
    "create function pg_catalog.sha1(value text) returns varchar immutable strict language sql as $$ select func_sha1(value) $$",
    "create function pg_catalog.len(value text) returns int immutable strict language sql as $$ select length(value) $$",
)
