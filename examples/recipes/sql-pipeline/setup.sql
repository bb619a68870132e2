-- What comes in, as it comes, …
create table if not exists raw_payment (
  id bigint generated always as identity primary key,
  doc jsonb not null,
  is_read bool not null default false
);
create index if not exists raw_payment_unread on raw_payment (id) where not is_read;

-- … what is in it, …
create table if not exists payment (
  id bigint primary key references raw_payment,
  day date not null,
  amount numeric not null
);
create index if not exists payment_day on payment (day);

-- … and what people look at.
create table if not exists day_total (
  day date primary key,
  payments bigint not null,
  total numeric not null
);
