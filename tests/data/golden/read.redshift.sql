-- what the catalog shows
select cast('schema' as varchar) as kind, cast(n.nspname as varchar) as object, cast(m.marks as varchar(8000)) as a,
  cast(null as varchar) as b, cast(null as varchar) as c, cast(null as varchar) as d, cast(null as varchar) as e
from pg_namespace n left join (select p.nspname as schema_name, d.description as marks from pg_description d
  join pg_class c on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = 0 and c.relname = 'sfstack_mark'
  join pg_namespace p on p.oid = c.relnamespace) m
  on cast(m.schema_name as varchar) = cast(n.nspname as varchar) || '_partitions'
where n.nspname in ('s', 's_partitions')
union all
select 'relation', cast(c.relname as varchar), cast(c.relkind as varchar), cast(d.description as varchar(8000)),
  cast(cast(c.oid as bigint) as varchar), cast(a.attname as varchar),
  case when c.relkind = 'v' then md5(pg_get_viewdef(c.oid)) else '' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_description d on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = 0
left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
where n.nspname = 's' and c.relkind in ('r', 'v')
union all
select 'column', cast(c.relname as varchar), cast(a.attname as varchar), cast(format_type(a.atttypid, a.atttypmod) as varchar),
  case when a.attnotnull then 'not null' else '' end, cast(d.description as varchar(8000)), cast(a.attnum as varchar)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_description d on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = a.attnum
where n.nspname = 's' and c.relkind in ('r', 'v')
union all
select 'role', cast(u.usename as varchar), case when coalesce(u.valuntil > now(), true) then 'login' else '' end,
  case when u.usesuper or u.usecreatedb or has_database_privilege(u.usename, current_database(), 'CREATE')
    or exists (select 1 from pg_namespace p where p.nspname = 'public' and has_schema_privilege(u.usename, p.nspname, 'CREATE'))
    then 'too much' else '' end,
  case when exists (select 1 from pg_namespace p where p.nspname = 's' and has_schema_privilege(u.usename, p.nspname, 'USAGE'))
    then 'true' else 'false' end,
  case when exists (select 1 from pg_namespace p where p.nspname = 's' and has_schema_privilege(u.usename, p.nspname, 'CREATE'))
    then 'true' else 'false' end, null
from pg_user u where u.usename = 'reader'
union all
select 'grant', cast(c.relname as varchar),
  case when has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'SELECT') then 'true' else 'false' end,
  case when has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'INSERT')
    or has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'UPDATE')
    or has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'DELETE')
    then 'true' else 'false' end, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join pg_user u
where u.usename = 'reader' and n.nspname = 's' and c.relkind in ('r', 'v')
union all
select 'setting', cast(u.usename as varchar), cast(array_to_string(u.useconfig, ';') as varchar), null, null, null, null
from pg_user u where u.usename = 'reader' and u.useconfig is not null;
-- the ledger against the tables
select cast('ledger' as varchar(20)) as kind, table_name as name, cast(part as varchar(20)) as part, cast(row_count as varchar(40)) as n,
  cast(amount as varchar(50)) as total, digest, source, load_id, rules, star,
  checks, cast(checks_passed as varchar(20)), cast(case when is_sample then 'true' else 'false' end as varchar(5)), loaded_by
from "s"."load_ledger" where is_current
union all
select 'found', 'd', null, cast(count(*) as varchar(40)), null, cast(sum(strtol(substring(sha2(cast("d_id" as varchar) || chr(31) || coalesce("label", chr(1)), 256), 1, 15), 16)) as varchar), null, null, null, null, null, null, null, null
from "s"."d"
union all
select 'partition', 'f', cast("year" as varchar(20)), null, null, null, null, null, null, null, null, null, null, null
from "s"."f" group by "year"
union all
select 'found', 'f', cast("year" as varchar(20)), cast(count(*) as varchar(40)), cast(sum("amount") as varchar), cast(sum(strtol(substring(sha2(cast("f_id" as varchar) || chr(31) || cast("d_id" as varchar) || chr(31) || cast("amount" as varchar), 256), 1, 15), 16)) as varchar), null, null, null, null, null, null, null, null
from "s"."f" group by "year"
;
-- the ledger against the tables
select cast('staging' as varchar) as kind, cast(count(*) as varchar) as n
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's_partitions' and c.relkind = 'r' and substring(c.relname, 1, 7) = 'staged_'
union all
select case when position('SAMPLE' in coalesce(d.description, '')) = 1 then 'noted' else 'plain' end, cast(count(*) as varchar)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_description d on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = 0
where n.nspname = 's' and c.relkind in ('r', 'v') and c.relname in ('d', 'f', 'load_ledger', 'load_rejects', 'v') group by 1;
-- the ledger against the number of rows
select cast('ledger' as varchar(20)) as kind, table_name as name, cast(part as varchar(20)) as part, cast(row_count as varchar(40)) as n,
  cast(amount as varchar(50)) as total, digest, source, load_id, rules, star,
  checks, cast(checks_passed as varchar(20)), cast(case when is_sample then 'true' else 'false' end as varchar(5)), loaded_by
from "s"."load_ledger" where is_current
union all
select 'found', 'd', null, cast(count(*) as varchar(40)), null, null, null, null, null, null, null, null, null, null
from (select 1 as one from "s"."d" limit 1) t
union all
select 'partition', 'f', cast("year" as varchar(20)), null, null, null, null, null, null, null, null, null, null, null
from "s"."f" group by "year"
;
-- the ledger against the number of rows
select cast('staging' as varchar) as kind, cast(count(*) as varchar) as n
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's_partitions' and c.relkind = 'r' and substring(c.relname, 1, 7) = 'staged_'
union all
select case when position('SAMPLE' in coalesce(d.description, '')) = 1 then 'noted' else 'plain' end, cast(count(*) as varchar)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_description d on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = 0
where n.nspname = 's' and c.relkind in ('r', 'v') and c.relname in ('d', 'f', 'load_ledger', 'load_rejects', 'v') group by 1;
