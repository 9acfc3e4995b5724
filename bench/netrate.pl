#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# The host's end of bench/net: listens at two ports of 127.0.0.1, prints them, then for
# each connection the rate of what came ("in", first port) or went ("out", second port),
# in MB/s, from the first byte to the end.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

sub take
{
	my ($peer) = @_;
	my ($bytes, $start) = (0, 0);

	while (my $n = sysread($peer, my $data, 1 << 18)) {
		$start ||= time;
		$bytes += $n;
	}
	return ($bytes, $start);
}

sub give
{
	my ($peer) = @_;
	my ($bytes, $start, $zeros) = (0, time, "\0" x (1 << 16));

	# What waits in buffers at the end was not transferred: keep it small.
	setsockopt($peer, SOL_SOCKET, SO_SNDBUF, pack('i', 1 << 16));
	while (my $n = syswrite($peer, $zeros)) {
		$bytes += $n;
	}
	return ($bytes, $start);
}

$SIG{PIPE} = $SIG{CHLD} = 'IGNORE';
$| = 1;
my @listeners = map {
	IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Proto => 'tcp')
		or die "netrate.pl: cannot listen: $!\n"
} 0 .. 1;
print join(' ', map { $_->sockport } @listeners), "\n";
my $select = IO::Select->new(@listeners);
while (my @ready = $select->can_read) {
	for my $listener (@ready) {
		my $peer = $listener->accept or next;
		my $in = $listener == $listeners[0];

		next if fork;
		my ($bytes, $start) = $in ? take($peer) : give($peer);
		my $seconds = $start ? time - $start : 0;

		printf "%s %.1f\n", $in ? 'in' : 'out', $seconds ? $bytes / $seconds / 1e6 : 0;
		exit 0;
	}
}
