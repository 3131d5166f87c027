"""What a customer takes along: invoices, items, notes, PDFs, and all that is known of them (P19).

`asking` begins one as a job, `making` is the job, `files` keeps the file for a week.
"""
