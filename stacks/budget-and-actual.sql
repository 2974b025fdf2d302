-- Budget against actual spending, by department and fiscal year, in the warehouse of books.yaml. Any SQL client takes it as it stands.
--
-- The rule. A budget is net: negative citywide adjustments take transfers between funds out of it, and related government units are
-- not told apart. Actual spending is gross: transfers out are in it, and so are related units. Side by side they differ by billions
-- that nobody spent twice. So the columns take actual spending apart, and only the last three compare:
--   actual_gross   = all actual spending, as published
--   related_units  = of that, legally separate bodies and fiduciary funds (related_govt_units is Yes)
--   transfers      = of the rest, money moved to another fund: characters Transfers Out and Intrafund Transfers Out
--   actual         = actual_gross - related_units - transfers
-- The city publishes no bridge between its two tables. This one goes by the names of characters, so it is near, not exact: citywide
-- adjustments stand in other departments than the transfers that they take out. Years that are not over are not comparable at all.
with spent as (
  select t.fiscal_year, p.department_code, max(p.department) as department,
         sum(t.amount) as actual_gross,
         sum(case when p.related_govt_units = 'Yes' then t.amount else 0 end) as related_units,
         sum(case when p.related_govt_units = 'No' and lower(y."character") in ('transfers out', 'intrafund transfers out')
                  then t.amount else 0 end) as transfers
    from report."transaction" t
    join report.program p on p.program_id = t.program_id
    join report."type" y on y.type_id = t.type_id
   where t.finance_id = 1
   group by t.fiscal_year, p.department_code
), planned as (
  select b.fiscal_year, p.department_code, max(p.department) as department, sum(b.budget) as budget
    from budget.budget_line b
    join budget.program p on p.program_id = b.program_id
   where b.finance_id = 1
   group by b.fiscal_year, p.department_code
)
select coalesce(b.fiscal_year, a.fiscal_year) as fiscal_year,
       coalesce(b.department_code, a.department_code) as department_code,
       coalesce(b.department, a.department) as department,
       a.actual_gross, a.related_units, a.transfers,
       b.budget,
       a.actual_gross - a.related_units - a.transfers as actual,
       a.actual_gross - a.related_units - a.transfers - b.budget as over_budget
  from planned b
  full join spent a on a.fiscal_year = b.fiscal_year and a.department_code = b.department_code
 where coalesce(b.fiscal_year, a.fiscal_year) >= 2010 -- the first year of the budget table
 order by 1, 2;
