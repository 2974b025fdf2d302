-- copy d
drop table if exists "s_partitions"."staged_table_d";
create unlogged table "s_partitions"."staged_table_d" ("d_id" bigint, "label" character varying(10));
-- copy "s_partitions"."staged_table_d" ("d_id", "label") from d/1.csv.gz
-- copy f 2024
drop table if exists "s_partitions"."staged_part_f_2024";
create table "s_partitions"."staged_part_f_2024" ("f_id" bigint not null, "year" integer not null, "d_id" bigint not null, "amount" numeric(20,2) not null);
-- copy "s_partitions"."staged_part_f_2024" ("f_id", "year", "d_id", "amount") from f/year=2024/1.csv.gz
-- copy f 2025
drop table if exists "s_partitions"."staged_part_f_2025";
create unlogged table "s_partitions"."staged_part_f_2025" ("f_id" bigint, "year" integer, "d_id" bigint, "amount" numeric(20,2));
-- copy "s_partitions"."staged_part_f_2025" ("f_id", "year", "d_id", "amount") from f/year=2025/1.csv.gz
-- give the load memory
set local work_mem = '64MB';
-- lock the ledger
lock table "s"."load_ledger" in share row exclusive mode;
-- measure what is staged
create temporary table measured on commit drop as select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as digest from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t group by "year";
-- filled
select cast(case when n = 0 then '0' else 'check filled failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'f_id=' || coalesce(cast(t."f_id" as varchar), 'null') || ', year=' || coalesce(cast(t."year" as varchar), 'null') || ', d_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', amount=' || coalesce(cast(t."amount" as varchar), 'null') as row_text from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t where t."f_id" is null or t."year" is null or t."d_id" is null or t."amount" is null) f) c;
-- keys
select cast(case when n = 0 then '0' else 'check keys failed for ' || cast(n as varchar) || ' rows' end as integer) from (select coalesce(sum(n), 0) as n from (select count(t."f_id") - count(distinct t."f_id") as n from "s_partitions"."staged_part_f_2024" t union all select count(t."f_id") - count(distinct t."f_id") as n from "s_partitions"."staged_part_f_2025" t union all select count(t."f_id") - count(distinct t."f_id") as n from (select "f_id", "year", "d_id", "amount" from "s"."f" where "year" = 2026) t) p) c;
-- labels
select cast(n as varchar) from (select count(*) as n from (select 'label=' || coalesce(cast(t."label" as varchar), 'null') || ', copies=' || cast(count(*) as varchar) as row_text from "s_partitions"."staged_table_d" t group by t."label" having count(*) > 1) f) c;
-- refs
select cast(case when n = 0 then '0' else 'check refs failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'f_id=' || coalesce(cast(t."f_id" as varchar), 'null') || ', year=' || coalesce(cast(t."year" as varchar), 'null') || ', d_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', amount=' || coalesce(cast(t."amount" as varchar), 'null') as row_text from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t left join "s_partitions"."staged_table_d" d0 on d0."d_id" = t."d_id" where d0."d_id" is null) f) c;
-- counts
select cast(case when n = 0 then '0' else 'check counts failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select coalesce(d.what, f.what, 'null') || ': declared=' || coalesce(cast(d.n as varchar), 'none') || ', staged=' || coalesce(cast(f.n as varchar), 'none') as row_text from (select 'd' as what, 3 as n union all select 'f 2024' as what, 2 as n union all select 'f 2025' as what, 2 as n union all select 'f 2026' as what, 2 as n) d full join (select 'd' as what, count(*) as n from "s_partitions"."staged_table_d" t union all select 'f ' || cast(m.part as varchar) as what, sum(m.row_count) as n from measured m group by m.part) f on f.what = d.what where d.n is null or f.n is null or d.n <> f.n) f) c;
-- totals
select cast(case when n = 0 then '0' else 'check totals failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'part=' || coalesce(cast(coalesce(d.part, f.part) as varchar), 'null') || ', side=' || coalesce(cast(coalesce(d.side, f.side) as varchar), 'null') || ': declared rows=' || coalesce(cast(d.n as varchar), 'none') || ' total=' || coalesce(cast(d.amount as varchar), 'none') || ', staged rows=' || coalesce(cast(f.n as varchar), 'none') || ' total=' || coalesce(cast(f.amount as varchar), 'none') as row_text from (select 2024 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as amount union all select 2025 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as amount union all select 2026 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as amount) d full join (select t."year" as part, t."d_id" as side, count(*) as n, sum(t."amount") as amount from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t group by t."year", t."d_id") f on f.part = d.part and f.side = d.side where d.n is null or f.n is null or d.n <> f.n or d.amount <> f.amount) f) c;
-- publish d
delete from "s"."d";
-- publish d
insert into "s"."d" ("d_id", "label") select "d_id", "label" from "s_partitions"."staged_table_d";
-- analyze d
analyze "s"."d";
-- publish f 2024
drop table if exists "s_partitions"."f_2024";
-- publish f 2024
alter table "s_partitions"."staged_part_f_2024" rename to "f_2024";
-- publish f 2024
alter table "s"."f" attach partition "s_partitions"."f_2024" for values in (2024);
-- publish f 2025
delete from "s"."f" where "year" = 2025;
-- publish f 2025
insert into "s"."f" ("f_id", "year", "d_id", "amount") select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025";
-- publish f 1999
delete from "s"."f" where "year" = 1999;
-- retire ledger rows
update "s"."load_ledger" set is_current = false where is_current and (table_name = '(load)' or table_name = 'd' or table_name = 'f' and part in (2024, 2025, 1999));
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, snapshot, delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', 'd', null, true, count(*), cast(null as numeric), cast(sum(hashtextextended(coalesce(cast("label" as varchar), chr(1)), hashint8extended("d_id", 0))) as varchar), '"<d>"', '<rules>', '<star>', null, 5, null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from "s"."d";
-- measure what is published
delete from measured where part in (2025);
-- measure what is published
insert into measured select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as digest from "s"."f" where "year" in (2025) group by "year";
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, snapshot, delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', 'f', s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as varchar), s.source, '<rules>', '<star>', null, 5, null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from (select 2024 as part, '{}' as source union all select 2025 as part, '{}' as source) s left join (select part, sum(row_count) as row_count, sum(total) as total, sum(digest) as digest from measured group by part) m on m.part = s.part order by s.part;
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, snapshot, delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', '(load)', null, true, coalesce(sum(row_count), 0), sum(amount), null, null, '<rules>', '<star>', null, 5, null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from "s"."load_ledger" where is_current and table_name = 'f';
-- comment on table
comment on table "s"."d" is 'SAMPLE. A dimension, it''s small';
-- comment on table
comment on table "s"."f" is 'SAMPLE. The fact';
-- comment on table
comment on table "s"."load_ledger" is 'SAMPLE. What is published now and what was before; one row per load, and one per table or year that it published';
-- comment on table
comment on table "s"."load_rejects" is 'SAMPLE. Rows that kept the last refused load from being published; at most 1,000 a check';
-- comment on view
comment on view "s"."v" is 'SAMPLE. A view';
-- drop staging tables
do $sweep$
declare found record;
begin
  for found in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
  loop execute format('drop table %I.%I', 's_partitions', found.relname); end loop;
end $sweep$;
