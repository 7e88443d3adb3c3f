-- A table to change. REPLICA IDENTITY FULL: a change tells the row as it was, so that a mirror knows who leaves.
create table customers (
  customer_id text primary key,
  email text,
  first_name text,
  tier text,
  lifetime_value numeric(10, 2)
);
alter table customers replica identity full;
insert into customers
select 'c' || n, 'c' || n || '@example.com', 'Name ' || n, (array['gold', 'silver', 'bronze'])[1 + n % 3], n * 1.25
from generate_series(1, 1000) as n;
