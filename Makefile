# make serve ARGS='--dev'    build and run the server
# make test                  the whole gate, as CI runs it
# make proof PARTS=…         what takes longer: the real cargo-deny, a longer hunt, an hour of faults on a cluster; all parts, or some
# make bench                 measurements
# make cluster               three nodes on PostgreSQL with failover, on loopback, until Ctrl-C
# make fmt                   format

.PHONY: serve test proof bench cluster fmt

serve:
	cargo run --release --package keyward -- serve $(ARGS)

test:
	tests/gate.sh

proof:
	tests/proof.sh $(PARTS)

bench:
	tests/postgres.sh run cargo bench --package keyward --bench speed
	tests/postgres.sh run cargo run --release --package cis --example validate_rate

cluster:
	tests/setup.sh postgres cluster
	cargo build --release --package keyward
	exec env KEYWARD_BIN=target/release/keyward python3 -B tests/cluster/cluster.py up $(ARGS)

fmt:
	cargo fmt --all
