create temporary table "conform_rejected" as
select problem, count(*) as n from (select case when coalesce(btrim("fiscal_year", ' ' || chr(9)), '') !~ '^[0-9]{4}$' or btrim("fiscal_year", ' ' || chr(9)) < '2010' or btrim("fiscal_year", ' ' || chr(9)) > '2049' then 'fiscal_year'
  when octet_length(btrim("organization_group_code", ' ' || chr(9))) > 50 then 'organization_group_code'
  when octet_length(btrim("organization_group", ' ' || chr(9))) > 100 then 'organization_group'
  when octet_length(btrim("department_code", ' ' || chr(9))) > 50 then 'department_code'
  when octet_length(btrim("department", ' ' || chr(9))) > 100 then 'department'
  when octet_length(btrim("program_code", ' ' || chr(9))) > 50 then 'program_code'
  when octet_length(btrim("program", ' ' || chr(9))) > 100 then 'program'
  when octet_length(btrim("character_code", ' ' || chr(9))) > 50 then 'character_code'
  when octet_length(btrim("character", ' ' || chr(9))) > 100 then 'character'
  when octet_length(btrim("object_code", ' ' || chr(9))) > 50 then 'object_code'
  when octet_length(btrim("object", ' ' || chr(9))) > 100 then 'object'
  when octet_length(btrim("sub_object_code", ' ' || chr(9))) > 50 then 'sub_object_code'
  when octet_length(btrim("sub_object", ' ' || chr(9))) > 100 then 'sub_object'
  when octet_length(btrim("fund_type_code", ' ' || chr(9))) > 50 then 'fund_type_code'
  when octet_length(btrim("fund_type", ' ' || chr(9))) > 100 then 'fund_type'
  when octet_length(btrim("fund_code", ' ' || chr(9))) > 50 then 'fund_code'
  when octet_length(btrim("fund", ' ' || chr(9))) > 100 then 'fund'
  when octet_length(btrim("fund_category_code", ' ' || chr(9))) > 50 then 'fund_category_code'
  when octet_length(btrim("fund_category", ' ' || chr(9))) > 100 then 'fund_category'
  when coalesce(btrim(regexp_replace(translate("revenue_or_spending", chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' '), '') not in ('spending', 'revenue') then 'revenue_or_spending'
  when case when false and coalesce(btrim("budget", ' ' || chr(9)), '') = '' then 0 when btrim("budget", ' ' || chr(9)) ~ '^[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?([.][0-9]{1,2})?$' and btrim("budget", ' ' || chr(9)) ~ '[0-9]' and length(btrim("budget", ' ' || chr(9))) <= 30 then case when abs(cast(replace(btrim("budget", ' ' || chr(9)), ',', '') as numeric(38,2))) <= 92233720368547758.07 then 0 else 1 end else 1 end = 1 then 'budget' end as problem from "report"."raw" t) r where problem is not null group by problem;
create temporary table "conform_rows" as
select cast(case when conform_problem is null then btrim("fiscal_year", ' ' || chr(9)) end as integer) as conform_year, case btrim(regexp_replace(translate("revenue_or_spending", chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') when 'spending' then 1 when 'revenue' then 2 end as conform_side, cast(case when conform_problem is null then coalesce(nullif(replace(btrim("budget", ' ' || chr(9)), ',', ''), ''), '0') end as numeric(20,2)) as conform_m0, sha2(cast(octet_length(coalesce("organization_group_code", '')) as varchar) || ':' || coalesce("organization_group_code", '') || cast(octet_length(coalesce("organization_group", '')) as varchar) || ':' || coalesce("organization_group", '') || cast(octet_length(coalesce("department_code", '')) as varchar) || ':' || coalesce("department_code", '') || cast(octet_length(coalesce("department", '')) as varchar) || ':' || coalesce("department", '') || cast(octet_length(coalesce("program_code", '')) as varchar) || ':' || coalesce("program_code", '') || cast(octet_length(coalesce("program", '')) as varchar) || ':' || coalesce("program", ''), 256) as hash0, coalesce("organization_group_code", '') as "organization_group_code", coalesce("organization_group", '') as "organization_group", coalesce("department_code", '') as "department_code", coalesce("department", '') as "department", coalesce("program_code", '') as "program_code", coalesce("program", '') as "program", sha2(cast(octet_length(coalesce("character_code", '')) as varchar) || ':' || coalesce("character_code", '') || cast(octet_length(coalesce("character", '')) as varchar) || ':' || coalesce("character", '') || cast(octet_length(coalesce("object_code", '')) as varchar) || ':' || coalesce("object_code", '') || cast(octet_length(coalesce("object", '')) as varchar) || ':' || coalesce("object", '') || cast(octet_length(coalesce("sub_object_code", '')) as varchar) || ':' || coalesce("sub_object_code", '') || cast(octet_length(coalesce("sub_object", '')) as varchar) || ':' || coalesce("sub_object", ''), 256) as hash1, coalesce("character_code", '') as "character_code", coalesce("character", '') as "character", coalesce("object_code", '') as "object_code", coalesce("object", '') as "object", coalesce("sub_object_code", '') as "sub_object_code", coalesce("sub_object", '') as "sub_object", sha2(cast(octet_length(coalesce("fund_type_code", '')) as varchar) || ':' || coalesce("fund_type_code", '') || cast(octet_length(coalesce("fund_type", '')) as varchar) || ':' || coalesce("fund_type", '') || cast(octet_length(coalesce("fund_code", '')) as varchar) || ':' || coalesce("fund_code", '') || cast(octet_length(coalesce("fund", '')) as varchar) || ':' || coalesce("fund", '') || cast(octet_length(coalesce("fund_category_code", '')) as varchar) || ':' || coalesce("fund_category_code", '') || cast(octet_length(coalesce("fund_category", '')) as varchar) || ':' || coalesce("fund_category", ''), 256) as hash2, coalesce("fund_type_code", '') as "fund_type_code", coalesce("fund_type", '') as "fund_type", coalesce("fund_code", '') as "fund_code", coalesce("fund", '') as "fund", coalesce("fund_category_code", '') as "fund_category_code", coalesce("fund_category", '') as "fund_category"
from (select t.*, case when coalesce(btrim("fiscal_year", ' ' || chr(9)), '') !~ '^[0-9]{4}$' or btrim("fiscal_year", ' ' || chr(9)) < '2010' or btrim("fiscal_year", ' ' || chr(9)) > '2049' then 'fiscal_year'
  when octet_length(btrim("organization_group_code", ' ' || chr(9))) > 50 then 'organization_group_code'
  when octet_length(btrim("organization_group", ' ' || chr(9))) > 100 then 'organization_group'
  when octet_length(btrim("department_code", ' ' || chr(9))) > 50 then 'department_code'
  when octet_length(btrim("department", ' ' || chr(9))) > 100 then 'department'
  when octet_length(btrim("program_code", ' ' || chr(9))) > 50 then 'program_code'
  when octet_length(btrim("program", ' ' || chr(9))) > 100 then 'program'
  when octet_length(btrim("character_code", ' ' || chr(9))) > 50 then 'character_code'
  when octet_length(btrim("character", ' ' || chr(9))) > 100 then 'character'
  when octet_length(btrim("object_code", ' ' || chr(9))) > 50 then 'object_code'
  when octet_length(btrim("object", ' ' || chr(9))) > 100 then 'object'
  when octet_length(btrim("sub_object_code", ' ' || chr(9))) > 50 then 'sub_object_code'
  when octet_length(btrim("sub_object", ' ' || chr(9))) > 100 then 'sub_object'
  when octet_length(btrim("fund_type_code", ' ' || chr(9))) > 50 then 'fund_type_code'
  when octet_length(btrim("fund_type", ' ' || chr(9))) > 100 then 'fund_type'
  when octet_length(btrim("fund_code", ' ' || chr(9))) > 50 then 'fund_code'
  when octet_length(btrim("fund", ' ' || chr(9))) > 100 then 'fund'
  when octet_length(btrim("fund_category_code", ' ' || chr(9))) > 50 then 'fund_category_code'
  when octet_length(btrim("fund_category", ' ' || chr(9))) > 100 then 'fund_category'
  when coalesce(btrim(regexp_replace(translate("revenue_or_spending", chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' '), '') not in ('spending', 'revenue') then 'revenue_or_spending'
  when case when false and coalesce(btrim("budget", ' ' || chr(9)), '') = '' then 0 when btrim("budget", ' ' || chr(9)) ~ '^[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?([.][0-9]{1,2})?$' and btrim("budget", ' ' || chr(9)) ~ '[0-9]' and length(btrim("budget", ' ' || chr(9))) <= 30 then case when abs(cast(replace(btrim("budget", ' ' || chr(9)), ',', '') as numeric(38,2))) <= 92233720368547758.07 then 0 else 1 end else 1 end = 1 then 'budget' end as conform_problem from "report"."raw" t) r where conform_problem is null;
create temporary table "conform_program_uses" as
select "organization_group_code", "organization_group", "department_code", "department", "program_code", "program", hash0 as parts_hash, conform_year, count(*) as n, sum(conform_m0) as amount from "conform_rows"
group by "organization_group_code", "organization_group", "department_code", "department", "program_code", "program", hash0, conform_year;
create temporary table "conform_program_members" as
select u.*, cast(null as varchar) as conform_flag,
  '7:program' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path0, coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group') as name0, coalesce(nullif(btrim("organization_group_code", ' ' || chr(9)), ''), 'No Organization Group Code') as code0,
  '7:program' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path1, coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department') as name1, coalesce(nullif(btrim("department_code", ' ' || chr(9)), ''), 'No Department Code') as code1,
  '7:program' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("program", ' ' || chr(9)), ''), 'No Program'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("program", ' ' || chr(9)), ''), 'No Program'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path2, coalesce(nullif(btrim("program", ' ' || chr(9)), ''), 'No Program') as name2, coalesce(nullif(btrim("program_code", ' ' || chr(9)), ''), 'No Program Code') as code2,
  1 + mod(strtol(substring(sha2('7:program' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("organization_group", ' ' || chr(9)), ''), 'No Organization Group'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("department", ' ' || chr(9)), ''), 'No Department'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("program", ' ' || chr(9)), ''), 'No Program'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("program", ' ' || chr(9)), ''), 'No Program'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' '), 256), 1, 15), 16), 9007199254740991) as id
from (select "organization_group_code", "organization_group", "department_code", "department", "program_code", "program", parts_hash, max(conform_year) as last_year from "conform_program_uses" group by "organization_group_code", "organization_group", "department_code", "department", "program_code", "program", parts_hash) u;
create temporary table "conform_program" as
select distinct m.id as "program_id", l2.name as "program", l2.code as "program_code", l1.name as "department", l1.code as "department_code", l0.name as "organization_group", l0.code as "organization_group_code"
from "conform_program_members" m
join (select a.path2 as path, min(a.name2) as name, min(a.code2) as code from "conform_program_members" a
  join (select path2 as path, max(last_year) as year from "conform_program_members" group by path2) b
    on b.path = a.path2 and b.year = a.last_year
  group by a.path2) l2 on l2.path = m.path2
join (select a.path1 as path, min(a.name1) as name, min(a.code1) as code from "conform_program_members" a
  join (select path1 as path, max(last_year) as year from "conform_program_members" group by path1) b
    on b.path = a.path1 and b.year = a.last_year
  group by a.path1) l1 on l1.path = m.path1
join (select a.path0 as path, min(a.name0) as name, min(a.code0) as code from "conform_program_members" a
  join (select path0 as path, max(last_year) as year from "conform_program_members" group by path0) b
    on b.path = a.path0 and b.year = a.last_year
  group by a.path0) l0 on l0.path = m.path0;
create temporary table "conform_type_uses" as
select "character_code", "character", "object_code", "object", "sub_object_code", "sub_object", hash1 as parts_hash, conform_year, count(*) as n, sum(conform_m0) as amount from "conform_rows"
group by "character_code", "character", "object_code", "object", "sub_object_code", "sub_object", hash1, conform_year;
create temporary table "conform_type_members" as
select u.*, cast(null as varchar) as conform_flag,
  '4:type' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path0, coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character') as name0, coalesce(nullif(btrim("character_code", ' ' || chr(9)), ''), 'No Character Code') as code0,
  '4:type' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path1, coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object') as name1, coalesce(nullif(btrim("object_code", ' ' || chr(9)), ''), 'No Object Code') as code1,
  '4:type' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("sub_object", ' ' || chr(9)), ''), 'No Sub Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("sub_object", ' ' || chr(9)), ''), 'No Sub Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path2, coalesce(nullif(btrim("sub_object", ' ' || chr(9)), ''), 'No Sub Object') as name2, coalesce(nullif(btrim("sub_object_code", ' ' || chr(9)), ''), 'No Sub Object Code') as code2,
  1 + mod(strtol(substring(sha2('4:type' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("character", ' ' || chr(9)), ''), 'No Character'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("object", ' ' || chr(9)), ''), 'No Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("sub_object", ' ' || chr(9)), ''), 'No Sub Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("sub_object", ' ' || chr(9)), ''), 'No Sub Object'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' '), 256), 1, 15), 16), 9007199254740991) as id
from (select "character_code", "character", "object_code", "object", "sub_object_code", "sub_object", parts_hash, max(conform_year) as last_year from "conform_type_uses" group by "character_code", "character", "object_code", "object", "sub_object_code", "sub_object", parts_hash) u;
create temporary table "conform_type" as
select distinct m.id as "type_id", l2.name as "sub_object", l2.code as "sub_object_code", l1.name as "object", l1.code as "object_code", l0.name as "character", l0.code as "character_code"
from "conform_type_members" m
join (select a.path2 as path, min(a.name2) as name, min(a.code2) as code from "conform_type_members" a
  join (select path2 as path, max(last_year) as year from "conform_type_members" group by path2) b
    on b.path = a.path2 and b.year = a.last_year
  group by a.path2) l2 on l2.path = m.path2
join (select a.path1 as path, min(a.name1) as name, min(a.code1) as code from "conform_type_members" a
  join (select path1 as path, max(last_year) as year from "conform_type_members" group by path1) b
    on b.path = a.path1 and b.year = a.last_year
  group by a.path1) l1 on l1.path = m.path1
join (select a.path0 as path, min(a.name0) as name, min(a.code0) as code from "conform_type_members" a
  join (select path0 as path, max(last_year) as year from "conform_type_members" group by path0) b
    on b.path = a.path0 and b.year = a.last_year
  group by a.path0) l0 on l0.path = m.path0;
create temporary table "conform_fund_uses" as
select "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", hash2 as parts_hash, conform_year, count(*) as n, sum(conform_m0) as amount from "conform_rows"
group by "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", hash2, conform_year;
create temporary table "conform_fund_members" as
select u.*, cast(null as varchar) as conform_flag,
  '4:fund' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path0, coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type') as name0, coalesce(nullif(btrim("fund_type_code", ' ' || chr(9)), ''), 'No Fund Type Code') as code0,
  '4:fund' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path1, coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund') as name1, coalesce(nullif(btrim("fund_code", ' ' || chr(9)), ''), 'No Fund Code') as code1,
  '4:fund' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_category", ' ' || chr(9)), ''), 'No Fund Category'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_category", ' ' || chr(9)), ''), 'No Fund Category'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as path2, coalesce(nullif(btrim("fund_category", ' ' || chr(9)), ''), 'No Fund Category') as name2, coalesce(nullif(btrim("fund_category_code", ' ' || chr(9)), ''), 'No Fund Category Code') as code2,
  1 + mod(strtol(substring(sha2('4:fund' || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_type", ' ' || chr(9)), ''), 'No Fund Type'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund", ' ' || chr(9)), ''), 'No Fund'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') || cast(octet_length(btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_category", ' ' || chr(9)), ''), 'No Fund Category'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ')) as varchar) || ':' || btrim(regexp_replace(translate(coalesce(nullif(btrim("fund_category", ' ' || chr(9)), ''), 'No Fund Category'), chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' '), 256), 1, 15), 16), 9007199254740991) as id
from (select "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", parts_hash, max(conform_year) as last_year from "conform_fund_uses" group by "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", parts_hash) u;
create temporary table "conform_fund" as
select distinct m.id as "fund_id", l2.name as "fund_category", l2.code as "fund_category_code", l1.name as "fund", l1.code as "fund_code", l0.name as "fund_type", l0.code as "fund_type_code"
from "conform_fund_members" m
join (select a.path2 as path, min(a.name2) as name, min(a.code2) as code from "conform_fund_members" a
  join (select path2 as path, max(last_year) as year from "conform_fund_members" group by path2) b
    on b.path = a.path2 and b.year = a.last_year
  group by a.path2) l2 on l2.path = m.path2
join (select a.path1 as path, min(a.name1) as name, min(a.code1) as code from "conform_fund_members" a
  join (select path1 as path, max(last_year) as year from "conform_fund_members" group by path1) b
    on b.path = a.path1 and b.year = a.last_year
  group by a.path1) l1 on l1.path = m.path1
join (select a.path0 as path, min(a.name0) as name, min(a.code0) as code from "conform_fund_members" a
  join (select path0 as path, max(last_year) as year from "conform_fund_members" group by path0) b
    on b.path = a.path0 and b.year = a.last_year
  group by a.path0) l0 on l0.path = m.path0;
create temporary table "conform_finance" as
select cast(1 as bigint) as "finance_id", cast('Spending' as varchar(255)) as "revenue_or_spending" union all select cast(2 as bigint) as "finance_id", cast('Revenue' as varchar(255)) as "revenue_or_spending";
create temporary table "conform_code_alias" as
select 'program' as dimension, 'organization_group' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."organization_group_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."organization_group", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_program_uses" u join "conform_program_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."organization_group_code", ' ' || chr(9)), ''), nullif(btrim(u."organization_group", ' ' || chr(9)), '')
union all
select 'program' as dimension, 'department' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."department_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."department", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_program_uses" u join "conform_program_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."department_code", ' ' || chr(9)), ''), nullif(btrim(u."department", ' ' || chr(9)), '')
union all
select 'program' as dimension, 'program' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."program_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."program", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_program_uses" u join "conform_program_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."program_code", ' ' || chr(9)), ''), nullif(btrim(u."program", ' ' || chr(9)), '')
union all
select 'type' as dimension, 'character' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."character_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."character", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_type_uses" u join "conform_type_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."character_code", ' ' || chr(9)), ''), nullif(btrim(u."character", ' ' || chr(9)), '')
union all
select 'type' as dimension, 'object' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."object_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."object", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_type_uses" u join "conform_type_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."object_code", ' ' || chr(9)), ''), nullif(btrim(u."object", ' ' || chr(9)), '')
union all
select 'type' as dimension, 'sub_object' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."sub_object_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."sub_object", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_type_uses" u join "conform_type_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."sub_object_code", ' ' || chr(9)), ''), nullif(btrim(u."sub_object", ' ' || chr(9)), '')
union all
select 'fund' as dimension, 'fund_type' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."fund_type_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."fund_type", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_fund_uses" u join "conform_fund_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."fund_type_code", ' ' || chr(9)), ''), nullif(btrim(u."fund_type", ' ' || chr(9)), '')
union all
select 'fund' as dimension, 'fund' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."fund_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."fund", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_fund_uses" u join "conform_fund_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."fund_code", ' ' || chr(9)), ''), nullif(btrim(u."fund", ' ' || chr(9)), '')
union all
select 'fund' as dimension, 'fund_category' as level, m.id as member_id, u.conform_year as fiscal_year,
  nullif(btrim(u."fund_category_code", ' ' || chr(9)), '') as source_code, nullif(btrim(u."fund_category", ' ' || chr(9)), '') as source_name, sum(u.n) as row_count, sum(u.amount) as amount
from "conform_fund_uses" u join "conform_fund_members" m on m.parts_hash = u.parts_hash
group by m.id, u.conform_year, nullif(btrim(u."fund_category_code", ' ' || chr(9)), ''), nullif(btrim(u."fund_category", ' ' || chr(9)), '');
create temporary table "conform_type_eras" as
select t."type_id" as id, t."sub_object_code" as code, t."sub_object" as name, btrim(regexp_replace(translate(t."sub_object", chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz'), ' +', ' '), ' ') as folded, max(m.last_year) >= 2018 as is_current
from "conform_type" t join "conform_type_members" m on m.id = t."type_id" group by t."type_id", t."sub_object_code", t."sub_object";
create temporary table "conform_type_crosswalk" as
select e.id as "legacy_type_id", coalesce(c.id, n.id) as "current_type_id",
  case when c.id is not null then 'same_sub_object_code' else 'same_sub_object_name' end as basis
from "conform_type_eras" e
left join (select code, min(id) as id from "conform_type_eras" where is_current and code <> 'No Sub Object Code' group by code having count(*) = 1) c on c.code = e.code
left join (select folded, min(id) as id from "conform_type_eras" where is_current group by folded having count(*) = 1) n
  on n.folded = e.folded and e.name <> 'No Sub Object'
where not e.is_current and coalesce(c.id, n.id) is not null;
create temporary table "conform_budget_line" as
select 1 + strtol(substring(sha2(cast(octet_length(cast(conform_year as varchar)) as varchar) || ':' || cast(conform_year as varchar) || cast(octet_length(side_text) as varchar) || ':' || side_text || '64:' || hash0 || '64:' || hash1 || '64:' || hash2 || cast(octet_length(cast(occurrence as varchar)) as varchar) || ':' || cast(occurrence as varchar), 256), 1, 15), 16) as "budget_line_id", conform_year as "fiscal_year", id0 as "program_id", id1 as "type_id", id2 as "fund_id", conform_side as "finance_id", conform_m0 as "budget"
from (select r.conform_year, r.conform_side, s."revenue_or_spending" as side_text, d0.id as id0, r.hash0, d1.id as id1, r.hash1, d2.id as id2, r.hash2, r.conform_m0, row_number() over (partition by r.conform_year, r.conform_side, r.hash0, r.hash1, r.hash2 order by r.conform_m0) as occurrence
from "conform_rows" r
join "conform_finance" s on s."finance_id" = r.conform_side
join "conform_program_members" d0 on d0.parts_hash = r.hash0
join "conform_type_members" d1 on d1.parts_hash = r.hash1
join "conform_fund_members" d2 on d2.parts_hash = r.hash2) f;
