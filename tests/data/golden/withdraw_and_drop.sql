-- drop staging tables
do $sweep$
declare found record;
begin
  for found in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 's_partitions' and c.relkind = 'r' and not c.relispartition and c.relname like 'staged_%'
  loop execute format('drop table %I.%I', 's_partitions', found.relname); end loop;
end $sweep$;
-- drop a partition
drop table if exists "s_partitions"."f_2025";
-- drop a partition
drop table if exists "s_partitions"."f_2026";
-- drop a partition
drop table if exists "s_partitions"."f_1999";
-- empty a table
delete from "s"."d";
-- empty a table
delete from "s"."f";
-- clear the ledger
delete from "s"."load_ledger" where loaded_by = '<by>';
-- clear the ledger
delete from "s"."load_rejects" where loaded_by = '<by>';
-- comment on table
comment on table "s"."d" is 'A dimension, it''s small';
-- comment on table
comment on table "s"."f" is 'The fact';
-- comment on table
comment on table "s"."load_ledger" is 'What is published now and what was before; one row per load, and one per table or year that it published';
-- comment on table
comment on table "s"."load_rejects" is 'Rows that failed a check of the last load, published or refused; at most 1,000 a check';
-- comment on view
comment on view "s"."v" is 'A view';
-- drop views
drop view "s"."v";
-- drop table
drop table "s"."load_rejects";
-- drop table
drop table "s"."load_ledger";
-- drop table
drop table "s"."f";
-- drop table
drop table "s"."d";
-- drop schema of partitions
drop schema if exists "s_partitions" cascade;
-- drop schema
drop schema if exists "s";
-- lock search path
select pg_advisory_xact_lock(hashtext('sfstack search_path'));
-- set the database's search path
do $path$
declare path text;
begin
  select string_agg(quote_ident(n.nspname), ', ' order by substring(d.description from 'sfstack:order=([0-9]+)')::int, n.nspname)
  into path from pg_namespace n join pg_description d on d.objoid = n.oid and d.classoid = 'pg_namespace'::regclass
  where d.description like '%sfstack:stack=%';
  if path is null then execute format('alter database %I reset search_path', current_database());
  else execute format('alter database %I set search_path to %s, public', current_database(), path); end if;
end $path$;
