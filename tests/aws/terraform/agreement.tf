# One stack of every kind, as test_agreement.py's stack file says the same.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "public_key" { type = string }
variable "vpc" { type = string }

provider "aws" {
  s3_use_path_style       = true
  skip_metadata_api_check = true
  max_retries             = 3
}

locals {
  tags = { owner = "controller" }
}

resource "aws_s3_bucket" "landing" {
  bucket = "city-landing"
  tags   = local.tags
}

resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
    bucket_key_enabled = false
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket                  = aws_s3_bucket.landing.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "landing" {
  bucket     = aws_s3_bucket.landing.id
  depends_on = [aws_s3_bucket_public_access_block.landing]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SfstackTlsOnly"
      Effect    = "Deny", Principal = "*", Action = "s3:*"
      Resource  = [aws_s3_bucket.landing.arn, "${aws_s3_bucket.landing.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_iam_policy" "read" {
  name        = "city-read"
  path        = "/city/"
  description = "what the load may do"
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = aws_s3_bucket.landing.arn },
      { Sid = "Get", Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.landing.arn}/*" },
    ]
  })
}

resource "aws_iam_role" "service" {
  for_each             = toset(["transfer", "redshift"])
  name                 = "city-${each.key}"
  description          = "for ${each.key}"
  max_session_duration = 7200
  tags                 = local.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "${each.key}.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  for_each   = aws_iam_role.service
  role       = each.value.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy" "catalog" {
  role = aws_iam_role.service["redshift"].name
  name = "catalog"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "glue:GetTables", Resource = "*" }]
  })
}

resource "aws_transfer_server" "sftp" {
  logging_role         = aws_iam_role.service["transfer"].arn
  security_policy_name = "TransferSecurityPolicy-2024-01"
  protocol_details { set_stat_option = "ENABLE_NO_OP" }
  tags = local.tags
}

resource "aws_transfer_user" "uploader" {
  server_id           = aws_transfer_server.sftp.id
  user_name           = "uploader"
  role                = aws_iam_role.service["transfer"].arn
  home_directory_type = "LOGICAL"
  home_directory_mappings {
    entry  = "/"
    target = "/${aws_s3_bucket.landing.id}/in"
  }
  tags = local.tags
}

resource "aws_transfer_ssh_key" "uploader" {
  server_id = aws_transfer_server.sftp.id
  user_name = aws_transfer_user.uploader.user_name
  body      = var.public_key
}

resource "aws_security_group" "sql" {
  name        = "city-sql"
  description = "who may reach the warehouse"
  vpc_id      = var.vpc
  tags        = local.tags
  ingress {
    description = "office"
    from_port   = 5439
    to_port     = 5439
    protocol    = "tcp"
    cidr_blocks = ["192.0.2.0/24", "198.51.100.0/24"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_redshift_cluster" "dw" {
  cluster_identifier                  = "city-dw"
  node_type                           = "ra3.large"
  cluster_type                        = "single-node"
  database_name                       = "san_francisco"
  master_username                     = "steward"
  manage_master_password              = true
  encrypted                           = true
  publicly_accessible                 = false
  skip_final_snapshot                 = true
  iam_roles                           = [aws_iam_role.service["redshift"].arn]
  vpc_security_group_ids              = [aws_security_group.sql.id]
  automated_snapshot_retention_period = 7
  preferred_maintenance_window        = "mon:10:00-mon:10:30"
  tags                                = local.tags
}

resource "aws_redshiftserverless_namespace" "dw" {
  namespace_name        = "city-less"
  db_name               = "san_francisco"
  admin_username        = "steward"
  manage_admin_password = true
  iam_roles             = [aws_iam_role.service["redshift"].arn]
  tags                  = local.tags
}

resource "aws_redshiftserverless_workgroup" "dw" {
  workgroup_name       = "city-less"
  namespace_name       = aws_redshiftserverless_namespace.dw.namespace_name
  base_capacity        = 8
  max_capacity         = 32
  publicly_accessible  = false
  enhanced_vpc_routing = true
  security_group_ids   = [aws_security_group.sql.id]
  tags                 = local.tags
}

output "server" { value = aws_transfer_server.sftp.id }
output "group" { value = aws_security_group.sql.id }
