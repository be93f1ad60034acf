#!/bin/sh
# Makes the download site out of the root certificate.
#
#   make.sh CERTIFICATE PAGE FOLDER
#
# FOLDER then holds ca.crt, ca.sha256 and index.html. The fingerprint is computed from what is offered, as
# `openssl x509 -noout -fingerprint -sha256` writes it: what people compare can never be another certificate's.
set -eu

certificate=$1 page=$2 folder=$3

if ! grep -q '^-----BEGIN CERTIFICATE-----' "$certificate"; then
    echo "$certificate holds no certificate: did the first Vala publish the ConfigMap lab-ca in cert-manager?" >&2
    exit 1
fi
# The first certificate and nothing else that may stand in the file
sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p;/^-----END CERTIFICATE-----/q' "$certificate" >"$folder/ca.crt"
fingerprint=$(sed '/^-----/d' "$folder/ca.crt" | base64 -d | sha256sum | cut -c1-64 | tr a-f A-F | sed 's/../&:/g;s/:$//')
printf '%s\n' "$fingerprint" >"$folder/ca.sha256"
sed "s/@FINGERPRINT@/$fingerprint/g" "$page" >"$folder/index.html"
