-- drop staging tables
drop table if exists "s_partitions"."staged_table_d", "s_partitions"."staged_table_f", "s_partitions"."staged_conform_raw", "s_partitions"."staged_conform_rejected", "s_partitions"."staged_conform_d", "s_partitions"."staged_conform_f";
-- empty a table
delete from "s"."d";
-- empty a table
delete from "s"."f";
-- clear the ledger
delete from "s"."load_ledger" where loaded_by = '<by>';
-- clear the ledger
delete from "s"."load_rejects" where loaded_by = '<by>';
-- drop views
drop view "s"."v";
-- drop tables
drop table "s"."d", "s"."f", "s"."load_ledger", "s"."load_rejects";
-- drop schema of what is staged
drop schema if exists "s_partitions" cascade;
-- drop schema
drop schema if exists "s";
