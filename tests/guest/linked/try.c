/* SPDX-License-Identifier: BSD-2-Clause */
#include "../netlib/nettry.c"
