# A plan file declares what there is to make, and from what. pipe finds out what has to run for that:
#
#   pipe plan      shows what would run and why, and touches nothing
#   pipe apply     runs it, after asking
#   pipe plan      once more: no changes
#
# Then change something (the query, the data, an expectation) and plan again.

pipe {
  name = "starter"
  # What was made is remembered here, and its content is stored there. These are the defaults.
  state "file" { path = ".pipe/state" }
  store "file" { path = ".pipe/store" }
}

# pipe plan --var least_amount=10
variable "least_amount" {
  type        = number
  default     = 0
  description = "Orders below this amount are left out."
}

# An input is read from outside. It is read again when its content changes, whatever its time says.
input "orders" {
  path   = "data/orders.csv"
  format = "csv"

  # Expectations are checked before anything uses the data. If one fails, what it is about is kept aside with the rows
  # that failed, and nothing below it runs.
  expect "column_values_to_be_unique" { column = "id" }
  expect "column_values_to_not_be_null" { column = "amount" }
  expect "column_values_to_be_in_set" {
    column    = "currency"
    value_set = ["EUR", "USD"]
  }
}

# A stage makes something of what other nodes made. input.orders is a reference: it is also the edge of the graph.
stage "sql" "daily" {
  inputs   = { orders = input.orders }
  params   = { least = var.least_amount }
  query    = <<-SQL
    SELECT day, currency, count(*) AS orders, sum(amount) AS amount
    FROM orders
    WHERE amount >= $least
    GROUP BY day, currency
  SQL
  order_by = ["day", "currency"]

  # Where to put a copy of the result.
  to = "out/daily.parquet"

  expect "table_row_count_to_be_between" { min_value = 1 }
}

output "result" {
  value = "out/daily.parquet"
}
