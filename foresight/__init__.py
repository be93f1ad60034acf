"""What can be known before anything is touched: does every machine boot, what would a change do.

Pure: no Pulumi, no I/O, no clock. Owns judging the outcome; refuses to decide a value (`model/`) or a text (`render/`).
"""
