# What stack.yaml describes, for Terraform.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}

variable "endpoint" {}

provider "aws" {
  region                      = "us-west-2"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  s3_use_path_style           = true
  endpoints {
    s3       = var.endpoint
    iam      = var.endpoint
    sts      = var.endpoint
    ec2      = var.endpoint
    redshift = var.endpoint
    transfer = var.endpoint
  }
}

resource "aws_s3_bucket" "landing" {
  bucket        = "bench-landing"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket                  = aws_s3_bucket.landing.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

locals {
  list = { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = aws_s3_bucket.landing.arn }
  objects = {
    write = { Sid = "Put", Effect = "Allow", Action = "s3:PutObject", Resource = "${aws_s3_bucket.landing.arn}/*" }
    read  = { Sid = "Get", Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.landing.arn}/*" }
  }
}

resource "aws_iam_policy" "write" {
  name   = "bench-write"
  policy = jsonencode({ Version = "2012-10-17", Statement = [local.list, local.objects.write] })
}

resource "aws_iam_policy" "read" {
  name   = "bench-read"
  policy = jsonencode({ Version = "2012-10-17", Statement = [local.list, local.objects.read] })
}

resource "aws_iam_role" "sftp" {
  name = "bench-sftp"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "transfer.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role" "load" {
  name = "bench-load"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "redshift.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "write" {
  role       = aws_iam_role.sftp.name
  policy_arn = aws_iam_policy.write.arn
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.load.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_transfer_server" "sftp" {
  protocols              = ["SFTP"]
  domain                 = "S3"
  endpoint_type          = "PUBLIC"
  identity_provider_type = "SERVICE_MANAGED"
  security_policy_name   = "TransferSecurityPolicy-2024-01"
  logging_role           = aws_iam_role.sftp.arn
}

resource "aws_transfer_user" "uploader" {
  server_id      = aws_transfer_server.sftp.id
  user_name      = "uploader"
  role           = aws_iam_role.sftp.arn
  home_directory = "/${aws_s3_bucket.landing.id}"
}

resource "aws_transfer_ssh_key" "uploader" {
  server_id = aws_transfer_server.sftp.id
  user_name = aws_transfer_user.uploader.user_name
  body      = trimspace(file("key.pub"))
}

resource "aws_security_group" "sql" {
  name        = "bench-sql"
  description = "who may reach the warehouse"
  ingress {
    from_port   = 5439
    to_port     = 5439
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}

resource "aws_redshift_cluster" "dw" {
  cluster_identifier     = "bench-dw"
  cluster_type           = "single-node"
  node_type              = "ra3.large"
  database_name          = "san_francisco"
  master_username        = "steward"
  master_password        = "Passw0rd1234"
  iam_roles              = [aws_iam_role.load.arn]
  vpc_security_group_ids = [aws_security_group.sql.id]
  publicly_accessible    = false
  encrypted              = true
  skip_final_snapshot    = true
}
