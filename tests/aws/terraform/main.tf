# What the stack's kinds are on AWS, as Terraform's own provider makes them: a second opinion on the test server.
# `changed` turns many attributes at once; only an SSH key is replaced by it.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "changed" {
  type    = bool
  default = false
}
variable "lifecycle_rules" {
  type    = bool
  default = false
}
variable "public_key" { type = string }
variable "other_public_key" { type = string }
variable "host_key" {
  type      = string
  sensitive = true
}
variable "other_host_key" {
  type      = string
  sensitive = true
}

provider "aws" {
  s3_use_path_style       = true
  skip_metadata_api_check = true
  max_retries             = 3
}

locals {
  tags = var.changed ? { owner = "controller", year = "2026" } : { owner = "controller" }
}

# --- bucket ---

resource "aws_s3_bucket" "landing" {
  bucket        = "sf-landing-123456789012"
  force_destroy = true
  tags          = local.tags
}

resource "aws_s3_object" "manifest" {
  bucket  = aws_s3_bucket.landing.id
  key     = "loads/2026/it's a + manifest.json"
  content = var.changed ? "{\"entries\": []}" : "{}"
}

resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id
  versioning_configuration { status = var.changed ? "Suspended" : "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = var.changed ? "aws:kms" : "AES256" }
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket                  = aws_s3_bucket.landing.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = !var.changed
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "landing" {
  bucket     = aws_s3_bucket.landing.id
  depends_on = [aws_s3_bucket_public_access_block.landing]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = var.changed ? "TlsOnly" : "EncryptedOnly"
      Effect    = "Deny", Principal = "*", Action = "s3:*"
      Resource  = [aws_s3_bucket.landing.arn, "${aws_s3_bucket.landing.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# the provider looks at it ten times, five seconds apart, before it believes that it is there
resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  count  = var.lifecycle_rules ? 1 : 0
  bucket = aws_s3_bucket.landing.id
  rule {
    id     = "uploads"
    status = "Enabled"
    filter { prefix = "loads/" }
    abort_incomplete_multipart_upload { days_after_initiation = var.changed ? 3 : 7 }
    expiration { days = var.changed ? 400 : 365 }
  }
}

# --- permissions ---

resource "aws_iam_policy" "landing" {
  name        = "sf-landing"
  description = "what the SFTP users and the load may do"
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = aws_s3_bucket.landing.arn },
      { Sid = "Objects", Effect = "Allow", Resource = "${aws_s3_bucket.landing.arn}/*",
      Action = var.changed ? ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] : ["s3:GetObject", "s3:PutObject"] },
    ]
  })
}

resource "aws_iam_role" "sf" {
  for_each             = toset(["transfer", "redshift"])
  name                 = "sf-${each.key}"
  max_session_duration = var.changed ? 7200 : 3600
  description          = var.changed ? "changed" : "as made"
  tags                 = local.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = var.changed ? "Service" : "Trust"
      Effect = "Allow", Principal = { Service = "${each.key}.amazonaws.com" }, Action = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "landing" {
  for_each   = aws_iam_role.sf
  role       = each.value.name
  policy_arn = aws_iam_policy.landing.arn
}

resource "aws_iam_role_policy" "inline" {
  role = aws_iam_role.sf["redshift"].name
  name = "catalog"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.changed ? "glue:Get*" : "glue:GetTables", Resource = "*" }]
  })
}

# --- transfer ---

resource "aws_transfer_server" "sftp" {
  host_key                        = var.changed ? var.other_host_key : var.host_key
  logging_role                    = aws_iam_role.sf["transfer"].arn
  security_policy_name            = var.changed ? "TransferSecurityPolicy-2025-03" : "TransferSecurityPolicy-2024-01"
  pre_authentication_login_banner = var.changed ? "changed" : "for the Controller's staff"
  tags                            = local.tags
}

resource "aws_transfer_user" "uploader" {
  server_id           = aws_transfer_server.sftp.id
  user_name           = "uploader"
  role                = aws_iam_role.sf["transfer"].arn
  home_directory_type = "LOGICAL"
  home_directory_mappings {
    entry  = "/"
    target = "/${aws_s3_bucket.landing.id}/${var.changed ? "incoming" : "loads"}"
  }
  tags = local.tags
}

resource "aws_transfer_user" "reader" {
  server_id      = aws_transfer_server.sftp.id
  user_name      = "reader"
  role           = aws_iam_role.sf["transfer"].arn
  home_directory = "/${aws_s3_bucket.landing.id}${var.changed ? "/loads" : ""}"
}

resource "aws_transfer_ssh_key" "uploader" {
  server_id = aws_transfer_server.sftp.id
  user_name = aws_transfer_user.uploader.user_name
  body      = trimspace(var.changed ? var.other_public_key : var.public_key)
}

# --- network and warehouse ---

resource "aws_security_group" "sql" {
  name        = "sf-sql"
  description = "who may reach the warehouse"
  tags        = local.tags
  ingress {
    description = "office"
    from_port   = 5439
    to_port     = 5439
    protocol    = "tcp"
    cidr_blocks = var.changed ? ["192.0.2.0/24", "198.51.100.0/24"] : ["192.0.2.0/24"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_vpc_security_group_ingress_rule" "home" {
  security_group_id = aws_security_group.other.id
  cidr_ipv4         = "203.0.113.0/24"
  from_port         = 5439
  to_port           = var.changed ? 5440 : 5439
  ip_protocol       = "tcp"
  description       = var.changed ? "two ports" : "one port"
}

resource "aws_security_group" "other" {
  name        = "sf-other"
  description = "rules of their own"
}

resource "aws_redshift_cluster" "dw" {
  cluster_identifier                  = "sf-dw"
  node_type                           = "ra3.large"
  cluster_type                        = var.changed ? "multi-node" : "single-node"
  number_of_nodes                     = var.changed ? 2 : 1
  database_name                       = "san_francisco"
  master_username                     = "steward"
  manage_master_password              = true
  encrypted                           = true
  publicly_accessible                 = false
  skip_final_snapshot                 = true
  iam_roles                           = [aws_iam_role.sf["redshift"].arn]
  vpc_security_group_ids              = [var.changed ? aws_security_group.other.id : aws_security_group.sql.id]
  automated_snapshot_retention_period = var.changed ? 7 : 1
  preferred_maintenance_window        = var.changed ? "tue:10:00-tue:10:30" : "mon:10:00-mon:10:30"
  tags                                = local.tags
}

resource "aws_redshiftserverless_namespace" "dw" {
  namespace_name        = "sf-dw"
  db_name               = "san_francisco"
  admin_username        = "steward"
  manage_admin_password = true
  iam_roles             = var.changed ? [for role in aws_iam_role.sf : role.arn] : [aws_iam_role.sf["redshift"].arn]
  tags                  = local.tags
}

resource "aws_redshiftserverless_workgroup" "dw" {
  workgroup_name       = "sf-dw"
  namespace_name       = aws_redshiftserverless_namespace.dw.namespace_name
  base_capacity        = var.changed ? 16 : 8
  max_capacity         = 32
  publicly_accessible  = false
  enhanced_vpc_routing = var.changed
  security_group_ids   = [aws_security_group.sql.id]
  tags                 = local.tags
}
