-- create schema
create schema if not exists "s" authorization "owner";
-- mark schema
comment on schema "s" is 'Star schema.
<marks>';
-- create schema of partitions
create schema if not exists "s_partitions" authorization "owner";
-- describe schema of partitions
comment on schema "s_partitions" is 'Partitions of the tables in schema s.';
-- own the schema
alter schema "s" owner to "owner";
-- become the owner
set local role "owner";
-- create table
create table "s"."d" (
  "d_id" bigint not null,
  "label" character varying(10),
  primary key ("d_id")
);
-- create table
create table "s"."f" (
  "f_id" bigint not null,
  "year" integer not null,
  "d_id" bigint not null,
  "amount" numeric(20,2) not null
) partition by list ("year");
-- create table
create table "s"."load_ledger" (
  "load_id" character varying(36) not null,
  "table_name" character varying(63) not null,
  "part" integer,
  "is_current" boolean not null,
  "row_count" bigint not null,
  "amount" numeric(20,2),
  "digest" character varying(60),
  "source" character varying(2000),
  "rules" character varying(64),
  "star" character varying(64) not null,
  "checks" character varying(64),
  "checks_passed" integer not null,
  "accepted" character varying(2000),
  "warned" character varying(2000),
  "snapshot" character varying(64),
  "delivery" character varying(1024),
  "is_sample" boolean not null,
  "note" character varying(200),
  "data_as_of" character varying(40),
  "data_loaded_at" character varying(40),
  "published_at" timestamp with time zone not null,
  "loaded_by" character varying(500) not null
);
-- create table
create table "s"."load_rejects" (
  "load_id" character varying(36) not null,
  "check_name" character varying(100) not null,
  "severity" character varying(10) not null,
  "row_number" bigint not null,
  "row_text" character varying(4000) not null,
  "recorded_at" timestamp with time zone not null,
  "loaded_by" character varying(500) not null
);
-- set search path
set local search_path to "s";
-- create view
create view "s"."v" as
select f_id from f;
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
-- comment on column
comment on column "s"."d"."d_id" is 'Key';
-- comment on column
comment on column "s"."d"."label" is 'Label';
-- comment on column
comment on column "s"."f"."f_id" is 'Key';
-- comment on column
comment on column "s"."f"."year" is 'Year';
-- comment on column
comment on column "s"."f"."d_id" is 'Key of d';
-- comment on column
comment on column "s"."f"."amount" is 'Money';
-- comment on column
comment on column "s"."load_ledger"."load_id" is 'Id of the load';
-- comment on column
comment on column "s"."load_ledger"."table_name" is 'Table that was published; (load) for the load as a whole';
-- comment on column
comment on column "s"."load_ledger"."part" is 'Part of the fact, a value of the column it is partitioned by; null for a whole table';
-- comment on column
comment on column "s"."load_ledger"."is_current" is 'Whether this is what is published now; earlier rows are history';
-- comment on column
comment on column "s"."load_ledger"."row_count" is 'Rows, counted after publishing';
-- comment on column
comment on column "s"."load_ledger"."amount" is 'Signed total, summed after publishing';
-- comment on column
comment on column "s"."load_ledger"."digest" is 'Digest over every column, free of row order, computed after publishing';
-- comment on column
comment on column "s"."load_ledger"."source" is 'What the data set said of this part, as JSON';
-- comment on column
comment on column "s"."load_ledger"."rules" is 'Digest of the rules that conformed the data';
-- comment on column
comment on column "s"."load_ledger"."star" is 'Digest of the star file';
-- comment on column
comment on column "s"."load_ledger"."checks" is 'Digest of the checks file';
-- comment on column
comment on column "s"."load_ledger"."checks_passed" is 'Checks that could have stopped this load and passed; the others are in accepted and warned';
-- comment on column
comment on column "s"."load_ledger"."accepted" is 'Checks that failed and were accepted by name (-accept-check), each with its number of failing rows';
-- comment on column
comment on column "s"."load_ledger"."warned" is 'Checks that failed with severity warn, each with its number of failing rows';
-- comment on column
comment on column "s"."load_ledger"."snapshot" is 'Digest of the whole snapshot';
-- comment on column
comment on column "s"."load_ledger"."delivery" is 'Commit file of the delivery that it was loaded from';
-- comment on column
comment on column "s"."load_ledger"."is_sample" is 'Whether the data were generated';
-- comment on column
comment on column "s"."load_ledger"."note" is 'What must be said of the data';
-- comment on column
comment on column "s"."load_ledger"."data_as_of" is 'When the source says its data were taken';
-- comment on column
comment on column "s"."load_ledger"."data_loaded_at" is 'When the source says it was last filled';
-- comment on column
comment on column "s"."load_ledger"."published_at" is 'When the load was published';
-- comment on column
comment on column "s"."load_ledger"."loaded_by" is 'Stack, lineage and resource that published it';
-- comment on column
comment on column "s"."load_rejects"."load_id" is 'Id of the load';
-- comment on column
comment on column "s"."load_rejects"."check_name" is 'Check that the row failed';
-- comment on column
comment on column "s"."load_rejects"."severity" is 'error: it kept the load from being published; warn, accepted: it did not';
-- comment on column
comment on column "s"."load_rejects"."row_number" is 'Number within the check';
-- comment on column
comment on column "s"."load_rejects"."row_text" is 'The row, as column=value';
-- comment on column
comment on column "s"."load_rejects"."recorded_at" is 'When it was recorded';
-- comment on column
comment on column "s"."load_rejects"."loaded_by" is 'Stack, lineage and resource whose load it was';
-- comment on column
comment on column "s"."v"."f_id" is 'Key';
-- stop being the owner
reset role;
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
