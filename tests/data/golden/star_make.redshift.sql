-- create schema
create schema if not exists "s";
-- create schema of what is staged
create schema if not exists "s_partitions";
-- mark schema
create table if not exists "s_partitions"."sfstack_mark" (is_ours integer);
-- mark schema
comment on table "s_partitions"."sfstack_mark" is 'Star schema.
<marks>';
-- create table
create table "s"."d" (
  "d_id" bigint encode raw not null,
  "label" character varying(10) encode zstd,
  primary key ("d_id")
) diststyle all compound sortkey ("d_id");
-- create table
create table "s"."f" (
  "f_id" bigint encode az64 not null,
  "year" integer encode raw not null,
  "d_id" bigint encode az64 not null,
  "amount" numeric(20,2) encode az64 not null
) diststyle even compound sortkey ("year", "d_id");
-- create table
create table "s"."load_ledger" (
  "load_id" character varying(36) encode zstd not null,
  "table_name" character varying(63) encode zstd not null,
  "part" integer encode az64,
  "is_current" boolean encode zstd not null,
  "row_count" bigint encode az64 not null,
  "amount" numeric(20,2) encode az64,
  "digest" character varying(60) encode zstd,
  "source" character varying(2000) encode zstd,
  "rules" character varying(64) encode zstd,
  "star" character varying(64) encode zstd not null,
  "checks" character varying(64) encode zstd,
  "checks_passed" integer encode az64 not null,
  "accepted" character varying(2000) encode zstd,
  "warned" character varying(2000) encode zstd,
  "snapshot" character varying(64) encode zstd,
  "delivery" character varying(1024) encode zstd,
  "is_sample" boolean encode zstd not null,
  "note" character varying(200) encode zstd,
  "data_as_of" character varying(40) encode zstd,
  "data_loaded_at" character varying(40) encode zstd,
  "published_at" timestamp with time zone encode az64 not null,
  "loaded_by" character varying(500) encode zstd not null
) diststyle even;
-- create table
create table "s"."load_rejects" (
  "load_id" character varying(36) encode zstd not null,
  "check_name" character varying(100) encode zstd not null,
  "severity" character varying(10) encode zstd not null,
  "row_number" bigint encode az64 not null,
  "row_text" character varying(4000) encode zstd not null,
  "recorded_at" timestamp with time zone encode az64 not null,
  "loaded_by" character varying(500) encode zstd not null
) diststyle even;
-- set search path
set search_path to "s";
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
