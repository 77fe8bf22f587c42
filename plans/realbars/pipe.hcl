# Nine years of real hourly bars of two symbols, from raw files to a registered model:
#
#   pipe apply plans/realbars --var data=fx
#
# The directory has GBPUSD_h1.csv.gz and AUDUSD_h1.csv.gz with the columns Date, open, high, low, close, tick_volume: prices
# in units of 0.00001, stamps by a broker's clock (the day begins when New York closes).

pipe {
  required_version = ">= 0.1.0"
  allow_paths      = values(config("storage"))
}

variable "data" {
  default     = "fx"
  description = "Directory of the raw files, below the working directory."
}

locals {
  symbols  = { a = "GBPUSD", b = "AUDUSD" }
  storage  = config("storage")
  training = config("training")
  policy   = config("backtest_policy")
  core     = config("core_policy")
}

input "raw" {
  for_each = local.symbols
  path     = "${var.data}/${each.value}_h1.csv.gz"
}

stage "canonical" "bars" {
  for_each = local.symbols
  source   = input.raw[each.key]
  symbol   = each.value
  columns  = { timestamp = "Date", volume = "tick_volume" }
  scale    = 100000
  decimals = 5
  zone     = "America/New_York+07:00"
  format   = "parquet"
  to       = "${local.storage.canonical_root}/1h/${each.value}/all/canonical.parquet"

  expect "table_row_count_to_be_between" { min_value = 50000 }
  expect "column_values_to_be_increasing" {
    column   = "timestamp"
    strictly = true
  }
  expect "column_values_to_be_between" {
    column    = "close"
    min_value = 0.5
    max_value = 2.5
  }
}

stage "features" "features" {
  legs = { a = stage.bars["a"], b = stage.bars["b"] }
  expect "metric_to_be_between" {
    metric    = "missing_share"
    max_value = local.training.feature_builder.missing_threshold
  }
}

stage "train" "model" {
  source     = stage.features
  cv         = local.training.cv
  ai1_params = local.training.ai1_params
  ai2_params = local.training.ai2_params
  theta1     = local.core.theta1_initial
  theta2     = local.core.theta2_initial
}

stage "backtest" "backtest" {
  model    = stage.model
  features = stage.features
  leg_a    = { canonical_symbol = local.symbols.a, min_lot = 0.01, lot_step = 0.01 }
  leg_b    = { canonical_symbol = local.symbols.b, min_lot = 0.01, lot_step = 0.01 }
  exit     = local.policy.exit
  costs    = { commission_bps = 0.5, slippage_bps = 0.5, spread_bps = 1 }
  stress   = local.policy.stress
}

publish "files" "models" {
  model = stage.model
  extra = { backtest = stage.backtest }
  root  = local.storage.models_root
}

# Adoption is judged as in the sample: a model that does not reach it is registered as rejected, with the reasons.
publish "model_registry" "core" {
  model      = stage.model
  model_name = "realbars"
  evidence   = [stage.backtest]
  files      = publish.models
  database   = try(secret("POSTGRES_URL"), null)
  path       = local.storage.registry_root
  adoption {
    min_sharpe   = local.policy.adoption.min_sharpe
    max_drawdown = local.policy.adoption.max_drawdown
  }
}

publish "worm" "audit" {
  model    = stage.model
  files    = publish.models
  registry = publish.core
  evidence = [stage.backtest]
  root     = local.storage.worm_root
}
