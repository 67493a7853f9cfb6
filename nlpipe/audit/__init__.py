"""What is doubtful in a data set: duplicates, leakage, conflicts, outliers, likely label errors."""

from nlpipe.audit.audit import Audit as Audit
from nlpipe.audit.audit import audit as audit
from nlpipe.audit.duplicates import Leaked as Leaked
from nlpipe.audit.duplicates import leaked as leaked
from nlpipe.audit.slices import slices as slices
