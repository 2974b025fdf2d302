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
select 'found', 'b', cast("year" as varchar), cast(count(*) as varchar), cast(sum("amount") as varchar), cast(sum(hash_numeric_extended("amount", "d_id")) as varchar), null, null, null, null, null, null, null, null
from "s"."b" group by "year"
union all
select 'partition', cast(p.relname as varchar), pg_get_expr(c.relpartbound, c.oid), null, null, null, null, null, null, null, null, null, null, null
from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
join pg_namespace n on n.oid = p.relnamespace where n.nspname = 's' and p.relname in ('f', 'b')
union all
select 'staging', cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
union all
select case when position('SAMPLE' in coalesce(obj_description(c.oid, 'pg_class'), '')) = 1 then 'noted' else 'plain' end,
  cast(count(*) as varchar), null, null, null, null, null, null, null, null, null, null, null, null
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 's' and c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname in ('d', 'f', 'b', 'load_ledger', 'load_rejects', 'v') group by 1;
