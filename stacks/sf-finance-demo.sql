-- What `make demo` shows at its end: how the load went, then the latest full year by organization group. Variables: rejects, seconds.
\set QUIET on
\pset footer off
\pset border 0
\pset tuples_only on
\pset format unaligned
select 'rows     ' || to_char(sum(row_count), 'FM999,999,999') || coalesce('   (' || max(note) || ')', '')
  from report.load_ledger where is_current and table_name = 'transaction';
select 'years    ' || min(fiscal_year) || ' to ' || max(fiscal_year) || ', ' || count(*) filter (where is_partial = 'Yes') || ' of ' || count(*) || ' partial'
  from report.fiscal_year;
select 'rejects  ' || :'rejects';
select 'checks   ' || checks_passed || ' passed' from report.load_ledger where is_current and table_name = '(load)';
select 'seconds  ' || :'seconds';
\echo

\pset tuples_only off
\pset format aligned
\pset border 1
select max(fiscal_year) as year from report.fiscal_year where is_partial = 'No' \gset
\echo Fiscal year :year by organization group, million dollars, related units excluded
\echo
select coalesce(organization_group, 'All groups') as "organization group",
       to_char(sum(amount) filter (where revenue_or_spending = 'Spending') / 1e6, '999,990.0') as spending,
       to_char(sum(amount) filter (where revenue_or_spending = 'Revenue') / 1e6, '999,990.0') as revenue
  from report.spending_revenue
 where fiscal_year = :year and related_govt_units = 'No'
 group by rollup (organization_group)
 order by grouping(organization_group), organization_group;
