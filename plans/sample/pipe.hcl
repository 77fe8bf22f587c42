# The monthly model pipeline: bars -> features -> models -> backtest -> published version.
#
#   pipe plan plans/sample
#   pipe apply plans/sample
#
# Everything lies below storage/ in the environment dev. With POSTGRES_URL, REDIS_URL, SLACK_WEBHOOK_URL and
# PAGERDUTY_ROUTING_KEY in the environment, the registry is PostgreSQL, the version is announced in Redis, and Slack and
# PagerDuty are told.

pipe {
  required_version = ">= 0.1.0"
  allow_paths      = values(config("storage"))
}

variable "symbol" {
  default     = "EURUSD"
  description = "Symbol of the seed partition."
}

variable "month" {
  default     = "2025-01"
  description = "Month of the seed partition, as YYYY-MM."
  validation {
    condition     = can(regex("^\\d{4}-\\d{2}$", var.month))
    error_message = "month must be YYYY-MM."
  }
}

locals {
  storage  = config("storage")
  training = config("training")
  policy   = config("backtest_policy")
  core     = config("core_policy")
  costs    = config("cost_table")
  pair     = config("universe").pairs[0]
  slack    = config("notifications").slack
  pager    = config("notifications").pagerduty
  serving  = config("messaging")
}

# --- bars -----------------------------------------------------------------------------------------------------------

input "seed" { path = "samples/data/sample_canonical.json" }

stage "canonical" "seed" {
  source      = input.seed
  symbol      = var.symbol
  period      = var.month
  calendar    = "24x7"
  to          = "${local.storage.canonical_root}/1h/${var.symbol}/${var.month}/canonical.json"
  expect_file = "samples/data/expectations.yaml"
}

input "bars_a" { path = "samples/data/${local.pair.leg_A.canonical_symbol}_1h.csv" }
input "bars_b" { path = "samples/data/${local.pair.leg_B.canonical_symbol}_1h.csv" }

stage "canonical" "leg_a" {
  source   = input.bars_a
  symbol   = local.pair.leg_A.canonical_symbol
  decimals = 5
  format   = "parquet"
  to       = "${local.storage.canonical_root}/1h/${local.pair.leg_A.canonical_symbol}/all/canonical.parquet"

  expect "column_values_to_not_be_null" { column = "close" }
  expect "column_values_to_be_between" {
    column    = "close"
    min_value = 0.5
    max_value = 2.0
  }
  expect "column_values_to_be_increasing" {
    column   = "timestamp"
    strictly = true
  }
}

stage "canonical" "leg_b" {
  source   = input.bars_b
  symbol   = local.pair.leg_B.canonical_symbol
  decimals = 3
  format   = "parquet"
  to       = "${local.storage.canonical_root}/1h/${local.pair.leg_B.canonical_symbol}/all/canonical.parquet"

  expect "column_values_to_not_be_null" { column = "close" }
  expect "column_values_to_be_between" {
    column    = "close"
    min_value = 50
    max_value = 250
  }
  expect "column_values_to_be_increasing" {
    column   = "timestamp"
    strictly = true
  }
}

# --- model ----------------------------------------------------------------------------------------------------------

stage "features" "features" {
  legs       = { a = stage.leg_a, b = stage.leg_b }
  to         = "${local.storage.features_root}/1h/${local.pair.pair_id}/all/"
  depends_on = [stage.seed]

  windows {
    beta_window = 480
    z_window    = 120
    z_ema_span  = 48
  }
  expect "metric_to_be_between" {
    metric    = "missing_share"
    max_value = local.training.feature_builder.missing_threshold
  }
  expect "metric_to_be_between" {
    metric    = "outlier_share"
    max_value = local.training.feature_builder.outlier_threshold
  }
  expect "metric_to_be_between" {
    metric    = "spike_share"
    max_value = local.training.feature_builder.spike_threshold
  }
}

stage "train" "model" {
  source     = stage.features
  cv         = local.training.cv
  ai1_params = local.training.ai1_params
  ai2_params = local.training.ai2_params
  theta1     = local.core.theta1_initial
  theta2     = local.core.theta2_initial

  expect "metric_to_be_between" {
    metric    = "auc_ai1"
    min_value = 0.5
  }
}

stage "backtest" "backtest" {
  model          = stage.model
  features       = stage.features
  leg_a          = local.pair.leg_A
  leg_b          = local.pair.leg_B
  exit           = local.policy.exit
  costs          = local.costs.defaults
  cost_overrides = local.costs.overrides
  stress         = local.policy.stress
}

# --- publish --------------------------------------------------------------------------------------------------------

publish "files" "models" {
  model = stage.model
  extra = { backtest = stage.backtest }
  root  = local.storage.models_root

  expect "metric_to_be_between" {
    metric    = "sharpe"
    min_value = local.policy.adoption.min_sharpe
  }
  expect "metric_to_be_between" {
    metric    = "max_drawdown"
    max_value = local.policy.adoption.max_drawdown
  }
}

publish "model_registry" "core" {
  model    = stage.model
  evidence = [stage.backtest]
  files    = publish.models
  database = try(secret("POSTGRES_URL"), null)
  path     = local.storage.registry_root
  adoption {
    min_sharpe    = local.policy.adoption.min_sharpe
    max_drawdown  = local.policy.adoption.max_drawdown
    min_trades    = local.policy.adoption.min_trades
    max_halt_rate = local.policy.adoption.max_halt_rate
  }
  retry {
    attempts = 3
    backoff  = "1s"
  }
}

publish "worm" "audit" {
  model    = stage.model
  files    = publish.models
  registry = publish.core
  evidence = [stage.backtest]
  root     = local.storage.worm_root
}

publish "redis" "serving" {
  enabled  = can(secret("REDIS_URL"))
  url      = secret("REDIS_URL")
  key      = local.serving.active_version_key
  channel  = local.serving.channel
  model    = stage.model
  registry = publish.core
}

notify "slack" "ml_ops" {
  enabled         = local.slack.enabled && can(secret("SLACK_WEBHOOK_URL"))
  webhook_url     = secret("SLACK_WEBHOOK_URL")
  channel         = local.slack.channel
  username        = local.slack.username
  timeout_seconds = local.slack.timeout_seconds
  on              = ["published", "failed"]
}

notify "pagerduty" "on_call" {
  enabled         = local.pager.enabled && can(secret("PAGERDUTY_ROUTING_KEY"))
  routing_key     = secret("PAGERDUTY_ROUTING_KEY")
  endpoint        = env("PAGERDUTY_EVENTS_URL", "https://events.pagerduty.com/v2/enqueue")
  severity        = local.pager.default_severity
  source          = local.pager.source
  component       = local.pager.component
  timeout_seconds = local.pager.timeout_seconds
  on              = ["failed"]
}
