-- publish d
delete from "s"."d";
-- publish d
insert into "s"."d" ("d_id", "label") select "d_id", "label" from "s_partitions"."staged_table_d";
-- analyze d
analyze "s"."d";
-- compare b
create temporary table measured_1 on commit drop as select "year" as part, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint4extended("year", "d_id"))) as digest from "s"."b" group by "year";
-- compare b
create temporary table differing_1 on commit drop as select coalesce(s.part, p.part) as part from (select "year" as part, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint4extended("year", "d_id"))) as digest from "s_partitions"."staged_table_b" group by "year") s full join measured_1 p on p.part = s.part where not coalesce(s.row_count = p.row_count and s.digest = p.digest, false);
-- publish b
delete from "s"."b" where "year" in (select part from differing_1);
-- publish b
insert into "s"."b" ("d_id", "year", "amount") select "d_id", "year", "amount" from "s_partitions"."staged_table_b" where "year" in (select part from differing_1);
-- retire ledger rows
update "s"."load_ledger" set is_current = false where is_current and (table_name = '(load)' or table_name = 'd' or table_name = 'b');
-- measure what is published
delete from measured_1 where part in (select part from differing_1);
-- measure what is published
insert into measured_1 select "year" as part, count(*) as row_count, sum("amount") as total, sum(hash_numeric_extended("amount", hashint4extended("year", "d_id"))) as digest from "s"."b" where "year" in (select part from differing_1) group by "year";
-- measure what is published
create temporary table measured_tables on commit drop as select cast('d' as varchar) as name, count(*) as row_count, cast(null as numeric) as total, sum(hashtextextended(coalesce(cast("label" as varchar), chr(1)), hashint8extended("d_id", 0))) as digest from "s"."d" union all select cast('b' as varchar) as name, coalesce(sum(row_count), 0) as row_count, sum(total) as total, sum(digest) as digest from measured_1;
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', m.name, null, true, m.row_count, m.total, cast(m.digest as varchar), '"<d>"', '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, current_timestamp, '<by>' from measured_tables m where m.name = 'd';
-- write the ledger
insert into "s"."load_ledger" (load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, checks_passed, accepted, warned, "snapshot", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, loaded_by) select '<load>', m.name, null, true, m.row_count, m.total, cast(m.digest as varchar), '"<b>"', '<rules>', '<star>', null, 0, cast(null as varchar), cast(null as varchar), null, null, false, null, null, null, current_timestamp, '<by>' from measured_tables m where m.name = 'b';
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
