"""AWS Bedrock's Converse API."""

KEY_NAME = "AWS_BEARER_TOKEN_BEDROCK"
"""The variable in which AWS's own tools look for an API key of Bedrock's, before all else."""
