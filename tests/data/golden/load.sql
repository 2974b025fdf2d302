-- copy d
drop table if exists "s_partitions"."staged_table_d";
create unlogged table "s_partitions"."staged_table_d" ("d_id" bigint, "label" character varying(10));
-- copy "s_partitions"."staged_table_d" ("d_id", "label") from d/1.csv.gz
-- copy f 2024
drop table if exists "s_partitions"."staged_part_f_2024";
create table "s_partitions"."staged_part_f_2024" ("f_id" bigint not null, "year" integer not null, "d_id" bigint not null, "amount" numeric(20,2) not null, constraint staged_in_part check ("year" = 2024));
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
create temporary table measured on commit drop as select "year" as part, "d_id" as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as digest, sum(t."amount") as "sum_amount", count(case when (t."f_id" is null or t."year" is null or t."d_id" is null or t."amount" is null) then 1 end) as failing_0, 0 as failing_3, case when t."d_id" not in (1) then count(*) else 0 end as failing_8, case when t."year" < 1999 or t."year" > 2027 then count(*) else 0 end as failing_9, count(case when (year > 2020 or d_id = 1
) and (t."amount" > 9.5) then 1 end) as failing_10, count(case when j2.sf_pair_12 = 1 then 1 end) as sf_pair_12_n1, sum(case when j2.sf_pair_12 = 1 then t."amount" end) as sf_pair_12_s1, count(case when j2.sf_pair_12 = 2 then 1 end) as sf_pair_12_n2, sum(case when j2.sf_pair_12 = 2 then t."amount" end) as sf_pair_12_s2, sum(t."f_id") as sf_keys from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t left join (select d."d_id" as sf_key_2, min(case when d."label" = 'in' then 1 when d."label" = 'out' then 2 end) as sf_pair_12 from "s_partitions"."staged_table_d" d group by d."d_id") j2 on j2.sf_key_2 = t."d_id" group by "year", "d_id";
-- clear earlier rejects
delete from "s"."load_rejects" where loaded_by = '<by>';
-- make room for the checks
create temporary table check_results on commit drop as select cast('' as varchar(100)) as check_name, cast(0 as bigint) as failing where 1 = 0;
-- check filled
insert into check_results (check_name, failing) select 'filled', n from (select coalesce(sum(s.failing_0), 0) as n from measured s) c;
-- check filled
insert into "s"."load_rejects" (load_id, check_name, severity, row_number, row_text, recorded_at, loaded_by) select cast('<load>' as varchar(36)) as load_id, cast('filled' as varchar(100)) as check_name, cast('accepted' as varchar(10)) as severity, row_number() over (order by row_text) as place, substring(row_text, 1, 4000) as row_text, current_timestamp as recorded_at, cast('<by>' as varchar(500)) as loaded_by from (select 'f_id=' || coalesce(cast(t."f_id" as varchar), 'null') || ', year=' || coalesce(cast(t."year" as varchar), 'null') || ', d_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', amount=' || coalesce(cast(t."amount" as varchar), 'null') as row_text from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t where t."f_id" is null or t."year" is null or t."d_id" is null or t."amount" is null) f where (select max(failing) from check_results where check_name = 'filled') > 0 order by row_text limit 1000;
-- check keys
select cast(case when n = 0 then '0' else 'check keys failed for ' || cast(n as varchar) || ' rows' end as integer) from (select coalesce(sum(p.n), 0) + case when (select count(*) from (select sum(s.row_count) as n, sum(s.sf_keys) as keys from measured s where s.part = 2024) k where k.n = 2 and mod(k.keys, 1000000000000000000) = 2010) = 1 then 0 else (select count(t."f_id") - count(distinct t."f_id") as n from "s_partitions"."staged_part_f_2024" t) end as n from (select count(t."f_id") - count(distinct t."f_id") as n from "s_partitions"."staged_part_f_2025" t union all select count(t."f_id") - count(distinct t."f_id") as n from (select "f_id", "year", "d_id", "amount" from "s"."f" where "year" = 2026) t) p) c;
-- check labels
insert into check_results (check_name, failing) select 'labels', n from (select count(*) as n from (select 'label=' || coalesce(cast(t."label" as varchar), 'null') || ', copies=' || cast(count(*) as varchar) as row_text from "s_partitions"."staged_table_d" t group by t."label" having count(*) > 1) f) c;
-- check labels
insert into "s"."load_rejects" (load_id, check_name, severity, row_number, row_text, recorded_at, loaded_by) select cast('<load>' as varchar(36)) as load_id, cast('labels' as varchar(100)) as check_name, cast('warn' as varchar(10)) as severity, row_number() over (order by row_text) as place, substring(row_text, 1, 4000) as row_text, current_timestamp as recorded_at, cast('<by>' as varchar(500)) as loaded_by from (select 'label=' || coalesce(cast(t."label" as varchar), 'null') || ', copies=' || cast(count(*) as varchar) as row_text from "s_partitions"."staged_table_d" t group by t."label" having count(*) > 1) f where (select max(failing) from check_results where check_name = 'labels') > 0 order by row_text limit 1000;
-- check refs
select cast(case when n = 0 then '0' else 'check refs failed for ' || cast(n as varchar) || ' rows' end as integer) from (select coalesce(r.n, 0) as n from (select sum(case when g0.sf_key is null then s.row_count else s.failing_3 end) as n from measured s left join (select d."d_id" as sf_key from "s_partitions"."staged_table_d" d group by d."d_id") g0 on g0.sf_key = s.side) r) c;
-- check counts
select cast(case when n = 0 then '0' else 'check counts failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select coalesce(d.what, f.what, 'null') || ': declared=' || coalesce(cast(d.n as varchar), 'none') || ', staged=' || coalesce(cast(f.n as varchar), 'none') as row_text from (select cast('d' as varchar(200)) as what, 3 as n union all select cast('f 2024' as varchar(200)) as what, 2 as n union all select cast('f 2025' as varchar(200)) as what, 2 as n union all select cast('f 2026' as varchar(200)) as what, 2 as n) d full join (select cast('d' as varchar(200)) as what, count(*) as n from "s_partitions"."staged_table_d" t union all select 'f ' || cast(s.part as varchar) as what, sum(s.row_count) as n from measured s group by s.part) f on f.what = d.what where d.n is null or f.n is null or d.n <> f.n) f) c;
-- check totals
select cast(case when n = 0 then '0' else 'check totals failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'part=' || coalesce(cast(coalesce(d.part, f.part) as varchar), 'null') || ', side=' || coalesce(cast(coalesce(d.side, f.side) as varchar), 'null') || ': declared rows=' || coalesce(cast(d.n as varchar), 'none') || ' total=' || coalesce(cast(d.total_0 as varchar), 'none') || ', staged rows=' || coalesce(cast(f.n as varchar), 'none') || ' total=' || coalesce(cast(f.total_0 as varchar), 'none') as row_text from (select 2024 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as total_0 union all select 2025 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as total_0 union all select 2026 as part, 1 as side, 2 as n, cast(-10.50 as numeric(38,2)) as total_0) d full join (select s.part, s.side, sum(s.row_count) as n, sum(s."sum_amount") as total_0 from measured s group by s.part, s.side) f on f.part = d.part and f.side = d.side where d.n is null or f.n is null or d.n <> f.n or d.total_0 <> coalesce(f.total_0, 0)) f) c;
-- check parts
select cast(case when n = 0 then '0' else 'check parts failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'part=' || coalesce(cast(coalesce(d.part, f.part) as varchar), 'null') || ': declared rows=' || coalesce(cast(d.n as varchar), 'none') || ' total=' || coalesce(cast(d.total_0 as varchar), 'none') || ', staged rows=' || coalesce(cast(f.n as varchar), 'none') || ' total=' || coalesce(cast(f.total_0 as varchar), 'none') as row_text from (select 2024 as part, 2 as n, cast(-10.50 as numeric(38,2)) as total_0 union all select 2025 as part, 2 as n, cast(-10.50 as numeric(38,2)) as total_0 union all select 2026 as part, 2 as n, cast(-10.50 as numeric(38,2)) as total_0) d full join (select s.part, sum(s.row_count) as n, sum(s."sum_amount") as total_0 from measured s group by s.part) f on f.part = d.part where d.n is null or f.n is null or d.n <> f.n or d.total_0 <> coalesce(f.total_0, 0)) f) c;
-- check words
select cast(case when n = 0 then '0' else 'check words failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'd_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', label=' || coalesce(cast(t."label" as varchar), 'null') as row_text from "s_partitions"."staged_table_d" t where t."label" not in ('a', 'it''s')) f) c;
-- check numbers
insert into check_results (check_name, failing) select 'numbers', n from (select coalesce(sum(s.failing_8), 0) as n from measured s) c;
-- check numbers
insert into "s"."load_rejects" (load_id, check_name, severity, row_number, row_text, recorded_at, loaded_by) select cast('<load>' as varchar(36)) as load_id, cast('numbers' as varchar(100)) as check_name, cast('warn' as varchar(10)) as severity, row_number() over (order by row_text) as place, substring(row_text, 1, 4000) as row_text, current_timestamp as recorded_at, cast('<by>' as varchar(500)) as loaded_by from (select 'f_id=' || coalesce(cast(t."f_id" as varchar), 'null') || ', year=' || coalesce(cast(t."year" as varchar), 'null') || ', d_id=' || coalesce(cast(t."d_id" as varchar), 'null') || ', amount=' || coalesce(cast(t."amount" as varchar), 'null') as row_text from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t where t."d_id" not in (1)) f where (select max(failing) from check_results where check_name = 'numbers') > 0 order by row_text limit 1000;
-- check years
select cast(case when n = 0 then '0' else 'check years failed for ' || cast(n as varchar) || ' rows' end as integer) from (select coalesce(sum(s.failing_9), 0) as n from measured s) c;
-- check recent
select cast(case when n = 0 then '0' else 'check recent failed for ' || cast(n as varchar) || ' rows' end as integer) from (select coalesce(sum(s.failing_10), 0) as n from measured s) c;
-- check codes
select cast(case when n = 0 then '0' else 'check codes failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'label=' || coalesce(cast(t."label" as varchar), 'null') || ', d_id=' || cast(count(distinct t."d_id") as varchar) || ' values, such as ' || coalesce(cast(min(t."d_id") as varchar), 'null') || ' and ' || coalesce(cast(max(t."d_id") as varchar), 'null') as row_text from "s_partitions"."staged_table_d" t group by t."label" having count(distinct t."d_id") > 1) f) c;
-- check pairs
select cast(case when n = 0 then '0' else 'check pairs failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select coalesce(sum(p.n1), 0) as n1, coalesce(sum(p.s1), 0) as s1, coalesce(sum(p.n2), 0) as n2, coalesce(sum(p.s2), 0) as s2 from (select s.part, s.sf_pair_12_n1 as n1, s.sf_pair_12_s1 as s1, s.sf_pair_12_n2 as n2, s.sf_pair_12_s2 as s2 from measured s) p) e where e.n1 <> e.n2) c;
-- check pairs_by
select cast(case when n = 0 then '0' else 'check pairs_by failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select coalesce(sum(p.n1), 0) as n1, coalesce(sum(p.s1), 0) as s1, coalesce(sum(p.n2), 0) as n2, coalesce(sum(p.s2), 0) as s2 from (select s.part, s.sf_pair_12_n1 as n1, s.sf_pair_12_s1 as s1, s.sf_pair_12_n2 as n2, s.sf_pair_12_s2 as s2 from measured s) p group by p.part) e where e.n1 <> e.n2 or e.s1 + e.s2 <> 0) c;
-- check fresh
select cast(case when n = 0 then '0' else 'check fresh failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select cast(null as varchar(200)) as row_text where 1 = 0) f) c;
-- check volume
select cast(case when n = 0 then '0' else 'check volume failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'year=' || cast(w.part as varchar) || ': rows=' || coalesce(cast(f.n as varchar), 'none') || ', published=' || cast(w.n as varchar) as row_text from (select part, max(row_count) as n from "s"."load_ledger" where is_current and table_name = 'f' and loaded_by = '<by>' and row_count > 0 and is_sample and part in (2024, 2025, 1999) group by part) w left join (select s.part, sum(s.row_count) as n from measured s group by s.part) f on f.part = w.part where coalesce(f.n, 0) * 100 <= w.n * 50 or f.n * 100 >= w.n * 200 and w.part < 2026) f) c;
-- check own
select cast(case when n = 0 then '0' else 'check own failed for ' || cast(n as varchar) || ' rows' end as integer) from (select count(*) as n from (select 'f_id=' || coalesce(cast(q."f_id" as varchar), 'null') as row_text from (with "published_d" as (select t."d_id", t."label" from "s"."d" t), "f" as (select t."f_id", t."year", t."d_id", t."amount" from (select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2024" union all select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025" union all select "f_id", "year", "d_id", "amount" from "s"."f" where "year" not in (2024, 2025, 1999)) t) select * from (select f_id from f where d_id not in (select d_id from published_d)
) u) q) f) c;
-- count rejects
select check_name, cast(failing as varchar) from check_results;
-- show rejects
select check_name, row_text from "s"."load_rejects" where load_id = '<load>' and row_number <= 5 order by check_name, row_number;
-- publish d
delete from "s"."d";
-- publish d
insert into "s"."d" ("d_id", "label") select "d_id", "label" from "s_partitions"."staged_table_d";
-- analyze d
analyze "s"."d";
-- publish f 2024
drop table if exists "s_partitions"."f_2024"; alter table "s_partitions"."staged_part_f_2024" rename to "f_2024"; alter table "s"."f" attach partition "s_partitions"."f_2024" for values in (2024); alter table "s_partitions"."f_2024" drop constraint staged_in_part;
-- publish f 2025
delete from "s"."f" where "year" = 2025;
-- publish f 2025
insert into "s"."f" ("f_id", "year", "d_id", "amount") select "f_id", "year", "d_id", "amount" from "s_partitions"."staged_part_f_2025";
-- publish f 1999
delete from "s"."f" where "year" = 1999;
-- retire ledger rows
update "s"."load_ledger" set is_current = false where is_current and (table_name = '(load)' or table_name = 'd' or (table_name = 'f' and (part is null or part in (2024, 2025, 1999))));
-- measure what is published
create temporary table measured_tables on commit drop as select cast('d' as varchar) as name, count(*) as row_count, cast(null as numeric) as total, sum(hashtextextended(coalesce(cast("label" as varchar), chr(1)), hashint8extended("d_id", 0))) as digest from "s"."d";
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', m.name, null, true, m.row_count, m.total, cast(m.digest as varchar), '"<d>"', '<rules>', '<star>', null, 5, nullif(trim(substring(coalesce((select max('filled=' || cast(failing as varchar) || ' ') from check_results where check_name = 'filled' and failing > 0), ''), 1, 2000)), ''), nullif(trim(substring(coalesce((select max('labels=' || cast(failing as varchar) || ' ') from check_results where check_name = 'labels' and failing > 0), '') || coalesce((select max('numbers=' || cast(failing as varchar) || ' ') from check_results where check_name = 'numbers' and failing > 0), ''), 1, 2000)), ''), null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from measured_tables m where m.name = 'd';
-- measure what is published
delete from measured where part in (2025);
-- measure what is published
insert into measured (part, side, row_count, total, digest) select "year" as part, "d_id" as side, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint8extended("d_id", "f_id"))) as digest from "s"."f" t where "year" in (2025) group by "year", "d_id";
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', 'f', s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as varchar), s.source, '<rules>', '<star>', null, 5, nullif(trim(substring(coalesce((select max('filled=' || cast(failing as varchar) || ' ') from check_results where check_name = 'filled' and failing > 0), ''), 1, 2000)), ''), nullif(trim(substring(coalesce((select max('labels=' || cast(failing as varchar) || ' ') from check_results where check_name = 'labels' and failing > 0), '') || coalesce((select max('numbers=' || cast(failing as varchar) || ' ') from check_results where check_name = 'numbers' and failing > 0), ''), 1, 2000)), ''), null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from (select 2024 as part, '{}' as source union all select 2025 as part, '{}' as source) s left join (select part, sum(row_count) as row_count, sum(total) as total, sum(digest) as digest from measured group by part) m on m.part = s.part order by s.part;
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', '(load)', null, true, coalesce(sum(row_count), 0), sum(amount), null, null, '<rules>', '<star>', null, 5, nullif(trim(substring(coalesce((select max('filled=' || cast(failing as varchar) || ' ') from check_results where check_name = 'filled' and failing > 0), ''), 1, 2000)), ''), nullif(trim(substring(coalesce((select max('labels=' || cast(failing as varchar) || ' ') from check_results where check_name = 'labels' and failing > 0), '') || coalesce((select max('numbers=' || cast(failing as varchar) || ' ') from check_results where check_name = 'numbers' and failing > 0), ''), 1, 2000)), ''), null, null, true, 'SAMPLE', null, null, current_timestamp, '<by>' from "s"."load_ledger" where is_current and table_name = 'f';
-- comment on table
comment on table "s"."d" is 'SAMPLE. A dimension, it''s small';
-- comment on table
comment on table "s"."f" is 'SAMPLE. The fact';
-- comment on table
comment on table "s"."load_ledger" is 'SAMPLE. What is published now and what was before; one row per load, and one per table or year that it published';
-- comment on table
comment on table "s"."load_rejects" is 'SAMPLE. Rows that failed a check of the last load, published or refused; at most 1,000 a check';
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
