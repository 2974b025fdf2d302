-- copy b 2025
drop table if exists "s_partitions"."staged_part_b_2025";
create unlogged table "s_partitions"."staged_part_b_2025" ("d_id" bigint, "year" integer, "amount" numeric(20,2));
-- copy "s_partitions"."staged_part_b_2025" ("d_id", "year", "amount") from b/year=2025/1.csv.gz
-- copy b 2024
drop table if exists "s_partitions"."staged_part_b_2024";
create table "s_partitions"."staged_part_b_2024" ("d_id" bigint not null, "year" integer not null, "amount" numeric(20,2) not null, constraint staged_in_part check ("year" = 2024));
-- copy "s_partitions"."staged_part_b_2024" ("d_id", "year", "amount") from b/year=2024/1.csv.gz
-- give the load memory
set local work_mem = '64MB';
-- lock the ledger
lock table "s"."load_ledger" in share row exclusive mode;
-- measure what is staged
create temporary table measured_1 on commit drop as select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", "d_id")) as digest from (select "d_id", "year", "amount" from "s_partitions"."staged_part_b_2024" union all select "d_id", "year", "amount" from "s_partitions"."staged_part_b_2025") t group by "year";
-- measure what is staged
create temporary table measured on commit drop as select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as digest from (select "f_id", "year", "d_id", "amount" from "s"."f" where false) t group by "year";
-- clear earlier rejects
delete from "s"."load_rejects" where loaded_by = '<by>';
-- make room for the checks
create temporary table check_results on commit drop as select cast('' as varchar(100)) as check_name, cast(0 as bigint) as failing where 1 = 0;
-- check filled
select cast(case when n = 0 then '0' else 'check filled failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'd_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', year=' || coalesce(cast(t."year" as varchar), 'null') || ', amount=' || coalesce(cast(t."amount" as varchar), 'null') as row_text from (select "d_id", "year", "amount" from "s_partitions"."staged_part_b_2024" union all select "d_id", "year", "amount" from "s_partitions"."staged_part_b_2025") t where t."d_id" is null or t."year" is null or t."amount" is null) f) c;
-- check counts
select cast(case when n = 0 then '0' else 'check counts failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select coalesce(d.what, f.what, 'null') || ': declared=' || coalesce(cast(d.n as varchar), 'none') || ', staged=' || coalesce(cast(f.n as varchar), 'none') as row_text from (select cast('b 2024' as varchar(200)) as what, 7 as n union all select cast('b 2025' as varchar(200)) as what, 9 as n) d full join (select 'b ' || cast(s.part as varchar) as what, sum(s.row_count) as n from measured_1 s group by s.part) f on f.what = d.what where d.n is null or f.n is null or d.n <> f.n) f) c;
-- count rejects
select check_name, cast(failing as varchar) from check_results;
-- show rejects
select check_name, row_text from "s"."load_rejects" where load_id = '<load>' and row_number <= 5 order by check_name, row_number;
-- publish b 2024
drop table if exists "s_partitions"."b_2024"; alter table "s_partitions"."staged_part_b_2024" rename to "b_2024"; alter table "s"."b" attach partition "s_partitions"."b_2024" for values in (2024); alter table "s_partitions"."b_2024" drop constraint staged_in_part;
-- publish b 2025
delete from "s"."b" where "year" = 2025;
-- publish b 2025
insert into "s"."b" ("d_id", "year", "amount") select "d_id", "year", "amount" from "s_partitions"."staged_part_b_2025";
-- publish b 1999
delete from "s"."b" where "year" = 1999;
-- retire ledger rows
update "s"."load_ledger" set is_current = false where is_current and (table_name = '(load)' or (table_name = 'b' and (part is null or part in (2024, 2025, 1999))));
-- measure what is published
delete from measured_1 where part in (2025);
-- measure what is published
insert into measured_1 (part, side, row_count, total, digest) select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", "d_id")) as digest from "s"."b" t where "year" in (2025) group by "year";
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', 'b', s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as varchar), s.source, '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, current_timestamp, '<by>' from (select 2024 as part, '"<2024>"' as source union all select 2025 as part, '"<2025>"' as source) s left join (select part, sum(row_count) as row_count, sum(total) as total, sum(digest) as digest from measured_1 group by part) m on m.part = s.part order by s.part;
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', '(load)', null, true, coalesce(sum(row_count), 0), sum(amount), null, null, '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, current_timestamp, '<by>' from "s"."load_ledger" where is_current and table_name = 'f';
-- comment on table
comment on table "s"."d" is 'A dimension, it''s small';
-- comment on table
comment on table "s"."f" is 'The fact';
-- comment on table
comment on table "s"."b" is 'A bridge';
-- comment on table
comment on table "s"."load_ledger" is 'What is published now and what was before; one row per load, and one per table or year that it published';
-- comment on table
comment on table "s"."load_rejects" is 'Rows that failed a check of the last load, published or refused; at most 1,000 a check';
-- comment on view
comment on view "s"."v" is 'A view';
-- drop staging tables
do $sweep$
declare found record;
begin
  for found in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
  loop execute format('drop table %I.%I', 's_partitions', found.relname); end loop;
end $sweep$;
