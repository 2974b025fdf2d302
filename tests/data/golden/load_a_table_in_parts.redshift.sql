-- copy b
drop table if exists "s_partitions"."staged_table_b";
create table "s_partitions"."staged_table_b" ("d_id" bigint, "year" integer, "amount" numeric(20,2)) diststyle even;
-- copy "s_partitions"."staged_table_b" ("d_id", "year", "amount") from b/year=2024/1.csv.gz
-- measure what is staged
create temporary table measured_1 as select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(strtol(substring(sha2(cast("d_id" as varchar) || chr(31) || cast("amount" as varchar), 256), 1, 15), 16)) as digest from (select "d_id", "year", "amount" from "s_partitions"."staged_table_b") t group by "year";
-- measure what is staged
create temporary table measured as select "year" as part, cast(null as bigint) as side, count(*) as row_count, sum("amount") as total, sum(strtol(substring(sha2(cast("f_id" as varchar) || chr(31) || cast("d_id" as varchar) || chr(31) || cast("amount" as varchar), 256), 1, 15), 16)) as digest from (select "f_id", "year", "d_id", "amount" from "s"."f" where false) t group by "year";
-- publish b
delete from "s"."b" where "year" in (2024, 2025, 1999);
-- publish b
insert into "s"."b" ("d_id", "year", "amount") select "d_id", "year", "amount" from "s_partitions"."staged_table_b";
-- retire ledger rows
update "s"."load_ledger" set is_current = false where is_current and (table_name = '(load)' or (table_name = 'b' and (part is null or part in (2024, 2025, 1999))));
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', 'b', s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as varchar), s.source, '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, getdate(), '<by>' from (select 2024 as part, cast('"<2024>"' as varchar(4000)) as source union all select 2025 as part, cast('"<2025>"' as varchar(4000)) as source) s left join (select "year" as part, count(*) as row_count, sum("amount") as total, sum(strtol(substring(sha2(cast("d_id" as varchar) || chr(31) || cast("amount" as varchar), 256), 1, 15), 16)) as digest from "s"."b" where "year" in (2024, 2025, 1999) group by "year") m on m.part = s.part;
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', '(load)', null, true, coalesce(sum(row_count), 0), sum(amount), null, null, '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, getdate(), '<by>' from "s"."load_ledger" where is_current and table_name = 'f';
-- drop staging tables
drop table if exists "s_partitions"."staged_table_d", "s_partitions"."staged_table_f", "s_partitions"."staged_table_b", "s_partitions"."staged_conform_raw", "s_partitions"."staged_conform_rejected", "s_partitions"."staged_conform_d", "s_partitions"."staged_conform_f", "s_partitions"."staged_conform_b";
