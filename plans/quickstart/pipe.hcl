# Ten lines, any CSV: pipe apply plans/quickstart --var csv=your.csv
variable "csv" { default = "plans/quickstart/orders.csv" }

input "rows" { path = var.csv }

stage "sql" "clean" {
  inputs = { rows = input.rows }
  query  = "select distinct * from rows"
  to     = "storage/quickstart/clean.parquet"
  expect "table_row_count_to_be_between" { min_value = 1 }
}
