#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# TCP on the host's side of a network test, on 127.0.0.1.
#
#	echo.pl ports N		prints N ports that are free
#	echo.pl serve		prints the port, then echoes to whoever connects, until killed
#	echo.pl try PORT FILE	sends FILE there; true if the same comes back, and nothing else
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;

sub listener
{
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Proto => 'tcp');

	return $s // die "echo.pl: cannot listen: $!\n";
}

sub ports
{
	my @s = map { listener() } 1 .. $_[0];

	print join(' ', map { $_->sockport } @s), "\n";
}

sub echo
{
	my ($peer) = @_;

	while (sysread($peer, my $data, 65536)) {
		my $done = 0;

		while ($done < length $data) {
			my $n = syswrite($peer, $data, length($data) - $done, $done);

			return unless $n;
			$done += $n;
		}
	}
}

sub serve
{
	my $s = listener();

	local $SIG{CHLD} = 'IGNORE';
	local $SIG{PIPE} = 'IGNORE';
	local $| = 1;
	print $s->sockport, "\n";
	while (my $peer = $s->accept) {
		next if fork;
		echo($peer);
		exit 0;
	}
}

sub try
{
	my ($port, $file) = @_;
	open my $in, '<:raw', $file or die "echo.pl: $file: $!\n";
	my $sent = do { local $/; <$in> };
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp')
		or die "echo.pl: port $port: $!\n";
	my ($done, $got) = (0, '');

	$s->blocking(0);
	for (;;) {
		my $left = $done < length $sent;
		my ($r, $w) = IO::Select->select(IO::Select->new($s),
						 $left ? IO::Select->new($s) : undef, undef, 30);

		die "echo.pl: nothing moves after $done sent, ", length $got, " received\n"
			unless defined $r;
		if (@$w) {
			$done += syswrite($s, $sent, 65536, $done) // 0;
			shutdown($s, 1) if $done == length $sent;
		}
		if (@$r) {
			my $n = sysread($s, $got, 65536, length $got);

			last if defined $n && !$n;
		}
	}
	die 'echo.pl: ', length $got, ' of ', length $sent, " bytes came back\n"
		if length $got != length $sent;
	die "echo.pl: other bytes came back\n" if $got ne $sent;
}

my %commands = (ports => \&ports, serve => \&serve, try => \&try);
my $name = shift // '';
my $command = $commands{$name} // die "usage: echo.pl ports N | serve | try PORT FILE\n";

$command->(@ARGV);
