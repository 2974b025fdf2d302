-- what the catalog shows
select 'schema', n.nspname::text, obj_description(n.oid, 'pg_namespace'), pg_get_userbyid(n.nspowner)::text, null, null, null
from pg_namespace n where n.nspname in ('s', 's_partitions')
union all
select 'relation', c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class'),
  case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
  (select string_agg(a.attname, ',' order by a.attnum) from pg_constraint k
   join pg_attribute a on a.attrelid = c.oid and a.attnum = any (k.conkey) where k.conrelid = c.oid and k.contype = 'p'),
  case when c.relkind = 'v' then (select md5(w.ev_action::text) from pg_rewrite w where w.ev_class = c.oid and w.rulename = '_RETURN')
  else concat_ws(', ', (select 'trigger ' || min(t.tgname) from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal having count(*) > 0),
    (select 'rule ' || min(w.rulename) from pg_rewrite w where w.ev_class = c.oid having count(*) > 0),
    (select 'constraint ' || min(k.conname) from pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'f', 'u', 'x') having count(*) > 0),
    case when c.relrowsecurity then 'row security' end, case when c.relpersistence <> 'p' then 'unlogged storage' end) end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's' and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
union all
select 'column', c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
  case when a.attnotnull then 'not null' else '' end, col_description(c.oid, a.attnum), a.attnum::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = 's' and c.relkind in ('r', 'p', 'v') and not c.relispartition
union all
select 'role', r.rolname::text, case when r.rolcanlogin and r.rolconnlimit <> 0 and coalesce(r.rolvaliduntil > now(), true) then 'login' else '' end,
  case when r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls or r.rolreplication
    or exists (select from pg_auth_members m where m.member = r.oid)
    or has_database_privilege(r.oid, current_database(), 'CREATE')
    or exists (select from pg_namespace n where n.nspname = 'public' and has_schema_privilege(r.oid, n.oid, 'CREATE'))
    then 'too much' else '' end,
  coalesce((select has_schema_privilege(r.oid, n.oid, 'USAGE') from pg_namespace n where n.nspname = 's')::text, 'false'),
  coalesce((select has_schema_privilege(r.oid, n.oid, 'CREATE') from pg_namespace n where n.nspname = 's')::text, 'false'), (select a.rolpassword from pg_authid a where a.oid = r.oid)
from pg_roles r where r.rolname = 'reader'
union all
select 'grant', c.relname::text, has_table_privilege(r.oid, c.oid, 'SELECT')::text,
  (has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE, TRIGGER') or
   has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE, REFERENCES'))::text, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.rolname = 'reader'
where n.nspname = 's' and c.relkind in ('r', 'p', 'v') and not c.relispartition
union all
select 'setting', coalesce((select rolname::text from pg_roles where oid = s.setrole), ''), o, null, null, null, null
from pg_db_role_setting s cross join unnest(s.setconfig) o
where o like 'search_path=%' and (s.setdatabase = (select oid from pg_database where datname = current_database()) or s.setdatabase = 0)
order by 1, 2, 7;
-- the ledger against the tables
select 'ledger' as kind, cast(table_name as varchar) as name, cast(part as varchar) as part, cast(row_count as varchar) as rows,
  cast(amount as varchar) as total, cast(digest as varchar) as digest, cast(source as varchar), cast(load_id as varchar), cast(rules as varchar), cast(star as varchar),
  cast(checks as varchar), cast(checks_passed as varchar), case when is_sample then 'true' else 'false' end, cast(loaded_by as varchar)
from "s"."load_ledger" where is_current
union all
select 'found', 'd', null, cast(count(*) as varchar), null, cast(sum(hashtextextended(coalesce(cast("label" as varchar), chr(1)), hashint8extended("d_id", 0))) as varchar), null, null, null, null, null, null, null, null
from "s"."d"
union all
select 'found', 'f', cast("year" as varchar), cast(count(*) as varchar), cast(sum("amount") as varchar), cast(sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as varchar), null, null, null, null, null, null, null, null
from "s"."f" group by "year"
union all
select 'partition', cast(p.relname as varchar), pg_get_expr(c.relpartbound, c.oid), null, null, null, null, null, null, null, null, null, null, null
from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
join pg_namespace n on n.oid = p.relnamespace where n.nspname = 's' and p.relname in ('f')
union all
select 'staging', cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
union all
select case when position('SAMPLE' in coalesce(obj_description(c.oid, 'pg_class'), '')) = 1 then 'noted' else 'plain' end,
  cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's' and c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname in ('d', 'f', 'load_ledger', 'load_rejects', 'v') group by 1;
-- the ledger against the number of rows
select 'ledger' as kind, cast(table_name as varchar) as name, cast(part as varchar) as part, cast(row_count as varchar) as rows,
  cast(amount as varchar) as total, cast(digest as varchar) as digest, cast(source as varchar), cast(load_id as varchar), cast(rules as varchar), cast(star as varchar),
  cast(checks as varchar), cast(checks_passed as varchar), case when is_sample then 'true' else 'false' end, cast(loaded_by as varchar)
from "s"."load_ledger" where is_current
union all
select 'found', 'd', null, cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null
from (select 1 as one from "s"."d" limit 1) t
union all
select 'partition', cast(p.relname as varchar), pg_get_expr(c.relpartbound, c.oid), null, null, null, null, null, null, null, null, null, null, null
from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
join pg_namespace n on n.oid = p.relnamespace where n.nspname = 's' and p.relname in ('f')
union all
select 'staging', cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
union all
select case when position('SAMPLE' in coalesce(obj_description(c.oid, 'pg_class'), '')) = 1 then 'noted' else 'plain' end,
  cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's' and c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname in ('d', 'f', 'load_ledger', 'load_rejects', 'v') group by 1;
