#!/bin/bash
# Run by the image when it makes its database: Grafana may read the audit table, and nothing more.
mysql --user=root --password="$MYSQL_ROOT_PASSWORD" <<SQL
CREATE USER 'grafana'@'%' IDENTIFIED BY '$GRAFANA_DB_PASSWORD';
GRANT SELECT ON app.* TO 'grafana'@'%';
SQL
