"""Domains that run; each is a test."""
